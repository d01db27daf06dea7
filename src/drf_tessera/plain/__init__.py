"""Authentication for plain views of Django, sync and async: a middleware, a decorator and a class.

- authenticating: the user and the token of a request
- middleware: the user of every request
- guards: views that need a token
"""

from drf_tessera.plain.authenticating import Authenticated as Authenticated
from drf_tessera.plain.authenticating import LateRefusal as LateRefusal
from drf_tessera.plain.authenticating import LateRefuser as LateRefuser
from drf_tessera.plain.authenticating import aauthenticate as aauthenticate
from drf_tessera.plain.authenticating import attach as attach
from drf_tessera.plain.authenticating import authenticate as authenticate
from drf_tessera.plain.authenticating import check_scopes as check_scopes
from drf_tessera.plain.authenticating import find_refusal as find_refusal
from drf_tessera.plain.authenticating import load_lazily as load_lazily
from drf_tessera.plain.guards import TokenRequiredMixin as TokenRequiredMixin
from drf_tessera.plain.guards import token_required as token_required
from drf_tessera.plain.middleware import TokenMiddleware as TokenMiddleware
