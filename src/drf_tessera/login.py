"""Log in: from credentials to a session."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.backends import find_email_field
from drf_tessera.exceptions import EmailLoginUnavailable, LoginFailed


@sensitive_variables()
def log_in(
    request: HttpRequest,
    *,
    password: str,
    username: str | None = None,
    email: str | None = None,
    client: sessions.Client | None = None,
) -> tuple[AbstractBaseUser, sessions.Grant]:
    """Check credentials with the project's authentication backends and start a session.

    Sends Django's ``user_logged_in`` (which sets ``last_login``) or ``user_login_failed``, each with
    the request. Statements: one to find the user, one for the session, one for ``last_login``.

    Args:
        request: Django's own request, not REST framework's.
        password: as typed.
        username: the user name, or with :class:`~drf_tessera.backends.EmailBackend` the address.
        email: the address, where the client knows that it is one; ``username`` is not given then.
        client: where the login comes from.

    Raises:
        LoginFailed: unknown, wrong, or inactive: always the same.
        EmailLoginUnavailable: an ``email``, and no backend that could read it.
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
    user = authenticate(request=request, **credentials)
    if user is None:
        raise LoginFailed
    if not user.is_active:  # such as AllowAllUsersModelBackend lets through
        _report_failure(request, credentials)
        raise LoginFailed
    grant = sessions.start(user, client=client)
    request.user = user  # as django.contrib.auth.login does, for receivers that look there
    user_logged_in.send(sender=type(user), request=request, user=user)
    return user, grant


def _reads_email() -> bool:
    """Tell whether some backend may take an ``email``: any that is not Django's own."""
    return any(
        not import_string(path).__module__.startswith("django.contrib.auth.")
        for path in settings.AUTHENTICATION_BACKENDS
    )


@sensitive_variables()
def _report_failure(request: HttpRequest, credentials: dict[str, str]) -> None:
    shown = {**credentials, "password": "********************"}
    user_login_failed.send(sender=__name__, credentials=shown, request=request)
