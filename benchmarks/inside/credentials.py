"""The credentials of a client of each peer, created by the peer's own code, as its login would do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.utils import timezone

from benchmarks.project.scheme import read_scheme

Headers = dict[str, str]


def make(count: int) -> list[Headers]:
    """Log in ``count`` distinct users. Return the header of each user, with its WSGI name."""
    users = get_user_model().objects.order_by("pk")[:count]
    log_in = _SCHEMES[read_scheme()]
    found = [log_in(user) for user in users]
    if len({tuple(headers.items()) for headers in found}) != count:
        raise ValueError(f"There are not {count} distinct credentials.")
    return found


def list_for_clients(count: int) -> list[Headers]:
    """Return the same headers, with their names in HTTP."""
    names = {"HTTP_AUTHORIZATION": "Authorization", "HTTP_COOKIE": "Cookie"}
    return [{names[name]: value for name, value in headers.items()} for headers in make(count)]


def _bearer(token: object, word: str = "Bearer") -> Headers:
    return {"HTTP_AUTHORIZATION": f"{word} {token}"}


def _tessera(user: Any) -> Headers:
    from drf_tessera import sessions

    return _bearer(sessions.start(user).access)


def _simplejwt(user: Any) -> Headers:
    from rest_framework_simplejwt.tokens import RefreshToken

    return _bearer(RefreshToken.for_user(user).access_token)


def _knox(user: Any) -> Headers:
    from knox.models import get_token_model  # type: ignore[import-not-found]  # in its environment alone

    return _bearer(get_token_model().objects.create(user)[1], "Token")


def _drf_token(user: Any) -> Headers:
    from rest_framework.authtoken.models import Token

    return _bearer(Token.objects.create(user=user).key, "Token")


def _dj_rest_auth(user: Any) -> Headers:
    from dj_rest_auth.utils import jwt_encode  # type: ignore[import-not-found]  # in its environment alone

    return {"HTTP_COOKIE": f"access={jwt_encode(user)[0]}"}


def _session(user: Any) -> Headers:
    return {"HTTP_COOKIE": f"sessionid={_start_django_session(user).session_key}"}


def _allauth(user: Any) -> Headers:
    # allauth uses these modules as attributes, but does not import them itself.
    import cryptography.hazmat.primitives.ciphers.algorithms
    import cryptography.hazmat.primitives.serialization  # noqa: F401
    from allauth.headless.tokens.strategies.jwt import internal  # type: ignore[import-untyped]  # no types

    return _bearer(internal.create_access_token(user, _start_django_session(user), {}))


def _oauth_toolkit(user: Any) -> Headers:
    from oauth2_provider.models import (  # type: ignore[import-not-found]  # in its environment alone
        get_access_token_model,
        get_application_model,
    )
    from oauthlib.common import generate_token  # type: ignore[import-untyped]  # no types

    applications = get_application_model()
    application, _ = applications.objects.get_or_create(
        name="benchmark",
        client_type=applications.CLIENT_CONFIDENTIAL,
        authorization_grant_type=applications.GRANT_PASSWORD,
    )
    token = generate_token()
    get_access_token_model().objects.create(
        user=user,
        application=application,
        token=token,
        expires=timezone.now() + timedelta(hours=2),
        scope="read write",
    )
    return _bearer(token)


def _start_django_session(user: Any) -> Any:
    """Log in as Django does, without a client's request."""
    from django.contrib.auth import login
    from django.contrib.sessions.backends.db import SessionStore
    from django.http import HttpRequest

    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.save()
    return request.session


_SCHEMES: Final[dict[str, Callable[[Any], Headers]]] = {
    "tessera": _tessera,
    "simplejwt": _simplejwt,
    "simplejwt-blacklist": _simplejwt,
    "simplejwt-stateless": _simplejwt,
    "knox": _knox,
    "drf-token": _drf_token,
    "dj-rest-auth": _dj_rest_auth,
    "allauth": _allauth,
    "oauth-toolkit": _oauth_toolkit,
    "session": _session,
}
