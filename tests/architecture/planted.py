"""One violation at least for each rule: the file, what is added to it, and what the rule says of it."""

PLANTED = {
    # Imports between rooms
    "an import from below": ("rotation.py", "import drf_tessera.sessions", "imports sessions, whose room"),
    "one by name": ("tokens/access.py", "from drf_tessera import users", "imports users, whose room"),
    "one of itself": ("rotation.py", "from drf_tessera import rotation", "imports itself"),
    "a lazy one": (
        "conf/values.py",
        "def late():\n    from drf_tessera.models import Session",
        "imports models",
    ),
    "a typing one": (
        "models.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from drf_tessera.sessions import start",
        "imports sessions, whose room",
    ),
    "a relative one": ("users/lookup.py", "from ..sessions import start", "imports sessions, whose room"),
    "a dynamic one": (
        "signals.py",
        "from importlib import import_module\nimport_module('drf_tessera.sessions')",
        "imports sessions, whose room",
    ),
    "a dynamic one that is relative": (
        "signals.py",
        "from importlib import import_module\nimport_module('.sessions', 'drf_tessera')",
        "imports sessions, whose room",
    ),
    "a dynamic one by a keyword": (
        "signals.py",
        "from importlib import import_module\nimport_module(name='.sessions', package='drf_tessera')",
        "imports sessions, whose room",
    ),
    "one by a function under another name": (
        "signals.py",
        "from importlib import import_module as load\nload('.sessions', 'drf_tessera')",
        "imports sessions, whose room",
    ),
    "one by a computed name": (
        "rotation.py",
        "from importlib import import_module\nNAME = 'sessions'\nimport_module(NAME)",
        "import_module loads by a name that is not written here",
    ),
    "one by a function that is passed on": (
        "signals.py",
        "from importlib import import_module as load\nlist(map(load, []))",
        "import_module loads by a name that is not written here",
    ),
    "a path that is built": (
        "conf/values.py",
        "ROOM = 'rest'\nDEFAULT = f'drf_tessera.{ROOM}.views.X'",
        "builds a path of ours",
    ),
    "a path that is added up": ("conf/values.py", "X = 'drf_tessera.' + 'rest'", "builds a path of ours"),
    "a path that is joined": ("conf/values.py", "X = ''.join(['drf_tessera.', 'rest'])", "builds a path"),
    "an object by a text": (
        "conf/values.py",
        "X = 'drf_tessera.rest.views:LoginView'",
        "imports rest.views, whose room",
    ),
    "the modules of Python": (
        "login.py",
        "import sys\nsys.modules['drf_tessera.sessions'].rows",
        "reads sys.modules",
    ),
    "the modules of Python by their name": ("login.py", "from sys import modules", "reads sys.modules"),
    "code in a text": ("rotation.py", "exec('import drf_tessera.sessions')", "exec runs code"),
    "one by a text": (
        "conf/values.py",
        "DEFAULT = 'drf_tessera.rest.serializers.UserSerializer'",
        "imports rest.serializers, whose room",
    ),
    "a model by its label": (
        "jose/keys.py",
        "from django.apps import apps\napps.get_model('tessera.Session')",
        "imports models, whose room",
    ),
    "a model by its label in two": (
        "jose/keys.py",
        "from django.apps import apps\napps.get_model('tessera', 'Session')",
        "imports models, whose room",
    ),
    "a model by keywords": (
        "http/client.py",
        "from django.apps import apps\napps.get_model(app_label='tessera', model_name='Session')",
        "http does without the ORM",
    ),
    "a model by its app": (
        "http/client.py",
        "from django.apps import apps\napps.get_app_config('tessera').get_model('Session')",
        "get_app_config finds a model without naming it",
    ),
    "all models": (
        "http/client.py",
        "from django.apps import apps\napps.all_models['tessera']['session']",
        "all_models finds a model without naming it",
    ),
    "a model by a computed label": (
        "users/lookup.py",
        "from django.apps import apps\napps.get_model(LABEL)",
        "get_model loads by a name that is not written here",
    ),
    "the package itself": (
        "users/lazy.py",
        "from drf_tessera import AccessToken",
        "name the room that defines",
    ),
    "contrib": ("checks.py", "from drf_tessera import contrib", "nothing imports contrib"),
    # Imports within a room, and doors
    "an import from below in the room": (
        "jose/keys.py",
        "from .codec import Codec",
        "imports jose.codec, which does not stand above it in its room",
    ),
    "the door of the own room": (
        "sessions/revoking.py",
        "from drf_tessera.sessions import start",
        "imports the door of its own room",
    ),
    "past a door": (
        "login.py",
        "from drf_tessera.sessions.starting import start",
        "goes past the door of sessions",
    ),
    "past a door by its module": ("login.py", "from drf_tessera.sessions import rows", "goes past the door"),
    "past a door by an attribute": (
        "login.py",
        "from drf_tessera import sessions\nsessions.rows.insert",
        "goes past the door of sessions",
    ),
    "past a door by a function": (
        "login.py",
        "from drf_tessera import sessions\ngetattr(sessions, 'rows').insert",
        "goes past the door of sessions",
    ),
    "past a door by a computed attribute": (
        "login.py",
        "from drf_tessera import sessions\ngetattr(sessions, NAME)",
        "passes the module sessions on",
    ),
    "past a door by all names": (
        "login.py",
        "from drf_tessera import sessions\nvars(sessions)['rows']",
        "passes the module sessions on",
    ),
    "past a door by its dict": (
        "login.py",
        "from drf_tessera import sessions\nsessions.__dict__['rows']",
        "reads the names of the module sessions",
    ),
    "past a door by a text": ("login.py", "X = 'drf_tessera.sessions.starting.start'", "goes past the door"),
    "past a door from the package": (
        "__init__.py",
        "_HOMES['Grant'] = 'drf_tessera.sessions.grants'",
        "goes past the door of sessions",
    ),
    "what a door does not offer": (
        "login.py",
        "from drf_tessera.sessions import nothing",
        "whose door does not offer it",
    ),
    "a private name": (
        "rest/views.py",
        "from drf_tessera.rest.errors import _secret",
        "takes the private name _secret of rest.errors",
    ),
    "a private attribute": (
        "rest/views.py",
        "from drf_tessera.rest import errors\nerrors._secret",
        "takes the private name _secret of rest.errors",
    ),
    "a private name of the own room": (
        "sessions/pruning.py",
        "from drf_tessera.sessions.rows import _write",
        "takes the private name _write of sessions.rows",
    ),
    "a private name by a function": (
        "sessions/pruning.py",
        "from drf_tessera.sessions import rows\ngetattr(rows, '_write')",
        "takes the private name _write of sessions.rows",
    ),
    "a private attribute of an object": (
        "rest/views.py",
        "from drf_tessera.conf import per_settings\nper_settings(print)._held",
        "takes the private attribute _held",
    ),
    "a private attribute by a function": (
        "rest/views.py",
        "from drf_tessera.conf import per_settings\ngetattr(per_settings(print), '_held')",
        "takes the private attribute _held",
    ),
    "code in a door": ("users/__init__.py", "X = 1", "has code of its own"),
    "code in a room without a door": ("rest/__init__.py", "X = 1", "has code of its own"),
    "a name in a room without a door": (
        "jose/__init__.py",
        "from drf_tessera.jose.keys import Key as Key",
        "has code of its own",
    ),
    "a door that renames": (
        "users/__init__.py",
        "from drf_tessera.users.lookup import load_user as load",
        "under its own name",
    ),
    "a door that hands something on": (
        "users/__init__.py",
        "from drf_tessera.tokens import AccessToken as AccessToken",
        "which is not a module of its room",
    ),
    "a door that offers nothing": (
        "users/__init__.py",
        "from drf_tessera.users.lookup import nothing as nothing",
        "which users.lookup does not have",
    ),
    "a door that offers a private name": (
        "users/__init__.py",
        "from drf_tessera.users.lookup import _x as _x",
        "offers the private name _x",
    ),
    "a door that hides a module": (
        "users/__init__.py",
        "from drf_tessera.users.lookup import lazy as lazy",
        "hides the module of that name",
    ),
    # Foreign packages, and what rooms do without
    "Django where there is none": ("jose/keys.py", "import django.conf", "jose does without Django"),
    "the ORM in tokens": (
        "tokens/access.py",
        "from django.db import models",
        "tokens does without the ORM",
    ),
    "Django by its own name": (
        "tokens/access.py",
        "import django\ndjango.db.connection",
        "tokens does without the ORM",
    ),
    "the user model in tokens": (
        "tokens/access.py",
        "from django.contrib.auth import get_user_model",
        "tokens does without the ORM",
    ),
    "the database in tokens": (
        "tokens/access.py",
        "from drf_tessera.database import find_database",
        "tokens does without the ORM",
    ),
    "rows of a user in http": (
        "http/client.py",
        "def f(user): return type(user).objects.first()",
        "uses objects, and http does without the ORM",
    ),
    "rows of another room in http": (
        "http/client.py",
        "from drf_tessera.sessions import live_sessions\nlive_sessions(1).count()",
        "uses live_sessions, and http does without the ORM",
    ),
    "a request in tokens": (
        "tokens/access.py",
        "from django.http import HttpRequest",
        "tokens does without requests",
    ),
    "a request of a server in sessions": (
        "sessions/starting.py",
        "from django.core.handlers.wsgi import WSGIRequest",
        "sessions does without requests",
    ),
    "a request without a type in sessions": (
        "sessions/starting.py",
        "def f(request): return request.META",
        "has a request, and sessions does without requests",
    ),
    "our models in http": ("http/client.py", "from drf_tessera.models import Session", "http does without"),
    "REST framework outside of its room": (
        "users/lazy.py",
        "import rest_framework.views",
        "only home is rest",
    ),
    "the JOSE library outside of its module": (
        "tokens/access.py",
        "from joserfc import jws",
        "only home is jose",
    ),
    "a foreign package that is new": (
        "users/lazy.py",
        "import redis",
        "a foreign package has one file in contrib",
    ),
    "a file for two foreign packages": (
        "contrib/channels.py",
        "import channels\nimport redis",
        "contrib.channels imports channels and redis: each has a file of its own",
    ),
    "a home of a foreign package that is taken": (
        "contrib/channels.py",
        "import channels\nimport joserfc",
        "imports joserfc, whose only home is jose.algorithms",
    ),
    "a package for type checkers that is imported": (
        "users/lazy.py",
        "from typing_extensions import TypeVar",
        "imports typing_extensions outside of",
    ),
    # Names, sizes, settings, texts
    "a module that is not in the list": ("rest/extra.py", "X = 1", "does not name extra"),
    "a room that is not in the list": ("extra/__init__.py", "", "does not name extra"),
    "a name that says nothing": ("rest/helpers.py", "X = 1", "helpers is a name that says nothing"),
    "a long function": ("users/lazy.py", "def f():\n" + "    x = 1\n" * 50, "51 lines of code"),
    "a long module": ("users/lazy.py", "x = 1\n" * 600, "split it at its section comments"),
    "a setting read at import": ("users/lazy.py", "LIMIT = get_settings().clock_skew", "reads a setting"),
    "one through its module": (
        "users/lazy.py",
        "from drf_tessera import conf\nLIMIT = conf.get_settings().clock_skew",
        "reads a setting",
    ),
    "one under another name": (
        "users/lazy.py",
        "from drf_tessera.conf import get_settings as read\nX = read()",
        "reads a setting",
    ),
    "one of Django's": (
        "users/lazy.py",
        "from django.conf import settings\nX = settings.DEBUG",
        "reads a setting",
    ),
    "one read by a default": ("users/lazy.py", "def f(x=get_settings()): ...", "reads a setting"),
    "a text that leads nowhere": (
        "users/lazy.py",
        "# See drf_tessera.sessions.nothing.",
        "names drf_tessera.sessions.nothing, which does not exist",
    ),
    "a text with a private name": (
        "users/lazy.py",
        "# See drf_tessera.sessions.rows._write.",
        "names drf_tessera.sessions.rows._write, which is private to its room",
    ),
    "a short text that leads nowhere": (
        "users/lazy.py",
        "# See ``sessions.nothing``.",
        "names sessions.nothing, which does not exist",
    ),
    "a text that goes past a door": (
        "users/lazy.py",
        "# See drf_tessera.sessions.starting.start.",
        "the door offers it as drf_tessera.sessions.start",
    ),
    # Writers
    "a session written elsewhere": (
        "login.py",
        "from drf_tessera.models import Session\nSession.objects.filter(pk=1).update(label='')",
        "login:",
    ),
    "news written elsewhere": (
        "receivers.py",
        "from drf_tessera.models import Revocation\nRevocation(session_id=1).save()",
        "calls save on Revocation, whose only writer is revocation",
    ),
    "SQL by hand": (
        "login.py",
        "from django.db import connection\nwith connection.cursor() as cursor: cursor.execute('')",
        "uses cursor: only sessions.compiled sends SQL by hand",
    ),
    "SQL by a queryset": (
        "users/lookup.py",
        "get_user_model().objects.raw('')",
        "uses raw: only sessions.compiled sends SQL by hand",
    ),
    "a model without a writer": ("models.py", "class Key(models.Model): ...", "models.Key has no writer"),
}
