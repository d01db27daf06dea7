"""Login: check credentials and start a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.conf import HEADER
from drf_tessera.database import translated_contention
from drf_tessera.exceptions import (
    EmailLoginUnavailable,
    LoginFailed,
    PasswordChanged,
    UserGone,
    UserInactive,
)
from drf_tessera.limits import login_attempt
from drf_tessera.receivers import checking_password
from drf_tessera.users import find_email_field

T = TypeVar("T")

MAX_PROOFS: Final = 3
"""The maximum number of password checks for one login, if the stored hash changes in between."""


@sensitive_variables()
def log_in(
    request: HttpRequest,
    *,
    password: str,
    username: str | None = None,
    email: str | None = None,
    client: sessions.Client | None = None,
    transport: str = HEADER,
) -> tuple[AbstractBaseUser, sessions.Grant]:
    """Check credentials with the project's authentication backends and start a session.

    The function sends Django's ``user_logged_in`` (which sets ``last_login``) or ``user_login_failed``,
    each with the request. It makes three statements: for the user, for the session, and for ``last_login``.

    Args:
        request: Django's own request, not REST framework's.
        password: the password, exactly as typed.
        username: the user name; with :class:`~drf_tessera.backends.EmailBackend` also the address.
        email: the address, if the client knows that the text is an address. ``username`` is then omitted.
        client: the origin of the login.
        transport: the transport of the refresh tokens; see :func:`drf_tessera.sessions.start`.

    Raises:
        LoginFailed: the user is unknown, inactive or just deleted, or the password is wrong. The error is
            the same in all cases.
        TooManyAttempts: too many logins have failed (:mod:`drf_tessera.limits`).
        TemporarilyUnavailable: the database is busy.
        EmailLoginUnavailable: ``email`` is given, but no backend accepts an ``email``.
    """
    credentials = {"password": password}
    if email is None:
        credentials["username"] = username or ""
    elif find_email_field() == get_user_model().USERNAME_FIELD and not _reads_email():
        credentials["username"] = email
    elif _reads_email() and find_email_field() is not None:
        credentials["email"] = email
    else:
        raise EmailLoginUnavailable
    start = partial(sessions.start, client=client, transport=transport)
    user, grant = prove(request, credentials, start, client=client)
    request.user = cast("Any", user)  # some receivers read it, because django.contrib.auth.login sets it
    try:
        with translated_contention():
            user_logged_in.send(sender=type(user), request=request, user=user)
    except DatabaseError:
        if type(user)._default_manager.filter(pk=user.pk).exists():
            raise
        raise LoginFailed from None  # the user was deleted during the login, and the session too
    return user, grant


@sensitive_variables()
def prove(
    request: HttpRequest | None,
    credentials: dict[str, str],
    start: Callable[[AbstractBaseUser], T],
    *,
    client: sessions.Client | None = None,
) -> tuple[AbstractBaseUser, T]:
    """Authenticate and start a session. Try again if the stored password changed in between.

    If the password was changed, the second attempt fails. If a simultaneous login stored a stronger hash
    of the same password, the second attempt succeeds. :func:`log_in` does more. This function is for
    interfaces with other credentials.

    Args:
        request: Django's own request, or ``None``.
        credentials: the arguments for ``django.contrib.auth.authenticate``.
        start: a function that starts a session for the authenticated user.
        client: the origin of the login. Failed logins are counted for its network.

    Raises:
        LoginFailed: the user is unknown, inactive or just deleted, or the password is wrong.
            ``user_login_failed`` has already been sent.
        TooManyAttempts: too many logins have failed.
    """
    fields = ("username", get_user_model().USERNAME_FIELD, "email")
    names = [str(credentials[name]) for name in fields if credentials.get(name)]
    with login_attempt(request, names, client=client):
        return _prove(request, credentials, start)


@sensitive_variables()
def _prove(
    request: HttpRequest | None, credentials: dict[str, str], start: Callable[[AbstractBaseUser], T]
) -> tuple[AbstractBaseUser, T]:
    for _ in range(MAX_PROOFS):
        with checking_password():
            user = authenticate(request=request, **credentials)
        if user is None:
            raise LoginFailed
        try:
            return user, start(user)
        except PasswordChanged:
            continue
        except (UserGone, UserInactive):  # AllowAllUsersModelBackend, for example, accepts inactive users
            break
    _report_failure(request, credentials)
    raise LoginFailed


def _reads_email() -> bool:
    """Return whether a backend may accept an ``email``. Each backend that is not Django's own may do so."""
    return any(
        not import_string(path).__module__.startswith("django.contrib.auth.")
        for path in settings.AUTHENTICATION_BACKENDS
    )


@sensitive_variables()
def _report_failure(request: HttpRequest | None, credentials: dict[str, str]) -> None:
    shown = {**credentials, "password": "********************"}
    user_login_failed.send(sender=__name__, credentials=shown, request=request)
