"""Describe every public name of a package's modules, as JSON: run by the interpreter that has the package.

``python surface.py PACKAGE`` prints the description of the package that this interpreter imports. The file
imports nothing of this repository, because the environment of an original has nothing of ours.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from types import ModuleType
from typing import Any

SKIPPED = ("migrations", "management", "checks", "extension")
"""Modules that nobody imports, and modules that only ours has."""
DICT_METHODS = ("__getitem__", "__setitem__", "__delitem__", "__contains__")


def start() -> None:
    """Start Django with the fewest settings that the modules need."""
    import django
    from django.conf import settings

    ours = importlib.util.find_spec("drf_tessera") is not None
    package = sys.argv[1]
    apps = ["rest_framework_simplejwt.token_blacklist"] if package == "rest_framework_simplejwt" else []
    settings.configure(
        SECRET_KEY="x" * 50,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "rest_framework",
            *(["drf_tessera"] if ours else []),
            *apps,
        ],
        USE_TZ=True,
    )
    django.setup()


def describe(package: str) -> dict[str, Any]:
    """Return the modules of a package: each with its public names."""
    root = importlib.import_module(package)
    names = [package] + [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    kept = [name for name in names if not set(name.split(".")) & set(SKIPPED)]
    return {name: describe_module(importlib.import_module(name)) for name in kept}


def describe_module(module: ModuleType) -> dict[str, Any]:
    """Return each public name of a module: its home, its parameters, and its members if it is a class."""
    found: dict[str, Any] = {}
    for name, value in sorted(vars(module).items()):
        inner = isinstance(value, ModuleType) and value.__name__.startswith(module.__name__)
        if name.startswith("_") or inner:
            continue
        found[name] = describe_value(value, module.__name__.partition(".")[0])
    return found


def describe_value(value: Any, package: str) -> dict[str, Any]:
    """Return the description of one name."""
    home = str(getattr(value, "__module__", "") or "")
    if not home.startswith(package):
        # typing and collections.abc are two names of one thing for an importer.
        foreign = f"{home}.{getattr(value, '__qualname__', '')}" if inspect.isclass(value) else ""
        return {"foreign": "" if home in {"typing", "collections.abc"} else foreign}
    if inspect.isclass(value):
        return {"parameters": list_parameters(value.__init__), "members": list_members(value, package)}
    if callable(value):
        return {"parameters": list_parameters(value)}
    return {}


def list_members(kind: type, package: str) -> dict[str, Any]:
    """Return the public members that classes of the package define, not those of Django and Python."""
    found: dict[str, Any] = {}
    for parent in reversed(kind.__mro__):
        if parent.__module__.startswith(package):
            for name, value in vars(parent).items():
                if not name.startswith("_") or name in DICT_METHODS:
                    bare = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                    found[name] = list_parameters(bare) if inspect.isfunction(bare) else None
    return dict(sorted(found.items()))


def list_parameters(function: Any) -> list[str] | None:
    """Return the names of parameters, with their stars."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [str(item.replace(annotation=item.empty, default=item.empty)) for item in parameters]


if __name__ == "__main__":
    start()
    sys.stdout.write(json.dumps(describe(sys.argv[1]), indent=1, sort_keys=True) + "\n")
