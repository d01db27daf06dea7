"""Login: check credentials and start a session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from inspect import Signature, signature
from traceback import walk_tb
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model, load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import identify_hasher
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import DatabaseError, IntegrityError
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.challenges import Ticket, find_challenge, require_challenge
from drf_tessera.conf import Lifetimes, enter_tenant
from drf_tessera.database import is_unreadable, savepoint, translated_trouble
from drf_tessera.exceptions import (
    ChallengeFailed,
    ChallengeRequired,
    EmailLoginUnavailable,
    LoginFailed,
    PasswordChanged,
    UserGone,
    UserInactive,
)
from drf_tessera.limits import admit_account, login_attempt
from drf_tessera.receivers import checking_password
from drf_tessera.tracing import LOGIN, Facts, traced
from drf_tessera.users import can_read, clean_name, find_email_field, fold_name, read_name

T = TypeVar("T")
Authenticate = Callable[..., AbstractBaseUser | None]
"""Django's ``authenticate``: from a request and credentials to a user, or ``None``."""

MAX_PROOFS: Final = 3
"""The maximum number of password checks for one login, if the stored hash changes in between."""


def _trace_login(found: tuple[AbstractBaseUser, sessions.Grant]) -> Facts:
    return sessions.trace_grant(found[1])


@sensitive_variables()
@traced(LOGIN, _trace_login)
def log_in(
    request: HttpRequest,
    *,
    password: str,
    username: str | None = None,
    email: str | None = None,
    client: sessions.Client | None = None,
    transport: str | None = None,
    lifetimes: Lifetimes | None = None,
    persistent: bool = True,
) -> tuple[AbstractBaseUser, sessions.Grant]:
    """Check credentials with the project's authentication backends and start a session.

    The function sends Django's ``user_logged_in`` (which sets ``last_login``) or ``user_login_failed``,
    each with the request. It makes three statements: for the user, for the session, and for ``last_login``.
    Names are read as Django's own login form reads them; see :func:`drf_tessera.users.clean_name`.

    Args:
        request: Django's own request, not REST framework's.
        password: the password, exactly as typed.
        username: the user name; with :class:`~drf_tessera.backends.EmailBackend` also the address.
        email: the address, if the client knows that the text is an address. ``username`` is then omitted.
        client: the origin of the login.
        transport: the transport of the refresh tokens; see :func:`drf_tessera.sessions.start`.
        lifetimes: how long the session lasts; see there.
        persistent: whether a cookie outlives the browser; see there.

    Raises:
        LoginFailed: the user is unknown, inactive or just deleted, or the password is wrong. The error is
            the same in all cases.
        TooManyAttempts: too many logins have failed (:mod:`drf_tessera.limits`).
        TemporarilyUnavailable: the database is busy or cannot be used. The attempt does not count.
        EmailLoginUnavailable: ``email`` is given, but no backend accepts an ``email``.
        ChallengeRequired, LoginRefused: the password is right and not enough (``CHALLENGE``).
    """
    enter_tenant(request)
    if email is None:
        ways = _name_account(clean_name(username or ""))
    elif find_email_field() == get_user_model().USERNAME_FIELD:
        ways = _name_account(clean_name(email))
    elif _reads_email() and find_email_field() is not None:
        ways = [_name_address(clean_name(email))]
    else:
        raise EmailLoginUnavailable
    start = partial(
        sessions.start, client=client, transport=transport, lifetimes=lifetimes, persistent=persistent
    )
    credentials = [{**way, "password": password} for way in ways]
    with login_attempt(request, [next(iter(ways[-1].values()))], client=client):
        user, grant = _prove_any(request, credentials, start)
    _announce(request, user, grant)
    return user, grant


@sensitive_variables()
@traced(LOGIN, _trace_login)
def answer_challenge(
    request: HttpRequest,
    ticket: Ticket,
    answer: object,
    *,
    client: sessions.Client | None = None,
    transport: str | None = None,
    lifetimes: Lifetimes | None = None,
    persistent: bool = True,
) -> tuple[AbstractBaseUser, sessions.Grant]:
    """Check the answer to a challenge and start the session, as :func:`log_in` does.

    A wrong answer counts as a failed login of the account.

    Args:
        request: Django's own request.
        ticket: the ticket of the login; see :func:`drf_tessera.challenges.read_ticket`.
        answer: a stranger's answer.
        client: the origin of the login.
        transport: see :func:`log_in`, as for the others.
        lifetimes: see there.
        persistent: see there.

    Raises:
        ChallengeFailed: the answer is wrong.
        LoginFailed: the user has changed since the password was checked, or the ticket is used twice.
        LoginRefused: the project refuses the account.
        TooManyAttempts: too many answers were wrong.
    """
    enter_tenant(request)
    user = ticket.user
    with login_attempt(request, [read_name(user)], client=client):
        challenge = find_challenge(request, user)
        if challenge is not None and challenge.check(answer) is not True:
            _report_failure(request, {"username": read_name(user)})
            raise ChallengeFailed
        start = partial(
            sessions.start, client=client, transport=transport, lifetimes=lifetimes, persistent=persistent
        )
        amr = ("pwd", *(challenge.amr if challenge else ()))
        try:
            with savepoint():
                grant = start(user, amr=amr, key=ticket.session_id)
        except (PasswordChanged, UserGone, UserInactive, IntegrityError):
            raise LoginFailed from None
    _announce(request, user, grant)
    return user, grant


@sensitive_variables()
def prove_again(
    request: HttpRequest,
    user: AbstractBaseUser,
    *,
    password: str | None = None,
    answer: object = None,
    client: sessions.Client | None = None,
) -> tuple[str, ...]:
    """Check that a person who has logged in is still the same, and return how (``amr``).

    A wrong password or answer counts as a failed login of the account.

    Args:
        request: Django's own request.
        user: the user of the session.
        password: the password, if the person has typed it.
        answer: the answer to the challenge of ``CHALLENGE``, a stranger's text or object.
        client: the origin of the request.

    Raises:
        LoginFailed: the password is wrong or is another account's, or the user has no challenge to answer.
        ChallengeFailed: the answer is wrong.
        TooManyAttempts: too many attempts were wrong.
    """
    enter_tenant(request)
    ways: tuple[str, ...] = ()
    with login_attempt(request, [read_name(user)], client=client):
        if password is not None:
            credentials = {**_name_account(read_name(user))[0], "password": password}
            try:
                found = identify(request, credentials)
            except ChallengeRequired as error:  # the password is right, and this is a step of its own
                found = error.user
            if found is None or found.pk != user.pk:
                raise LoginFailed
            ways += ("pwd",)
        if answer is not None:
            challenge = find_challenge(request, user)
            if challenge is None or challenge.check(answer) is not True:
                _report_failure(request, {"username": read_name(user)})
                raise LoginFailed if challenge is None else ChallengeFailed
            ways += challenge.amr
    return ways


def _announce(request: HttpRequest, user: AbstractBaseUser, grant: sessions.Grant) -> None:
    """Send ``user_logged_in``. If a receiver refuses the login, nobody gets the tokens."""
    request.user = cast("Any", user)  # some receivers read it, because django.contrib.auth.login sets it
    try:
        with translated_trouble():
            user_logged_in.send(sender=type(user), request=request, user=user)
    except DatabaseError:
        if type(user)._default_manager.filter(pk=user.pk).exists():
            raise
        raise LoginFailed from None  # the user was deleted during the login, and the session too
    except Exception:
        sessions.revoke(grant.session_id)
        raise


def _name_address(address: Any) -> dict[str, Any]:
    """Return the arguments that name the account by its address.

    A backend whose signature has no ``email`` may look for any name in ``username``, and rely on it.
    """
    backends = [load_backend(path) for path in settings.AUTHENTICATION_BACKENDS]
    named = any("email" in signature(backend.authenticate).parameters for backend in backends)
    return {"email": address} if named else {"username": address, "email": address}


def _name_account(name: Any) -> list[dict[str, Any]]:
    """Return the arguments that name the account to the backends, one dict for each attempt.

    Django's login form calls the name ``username``, and Django's backend also reads it under the user model's
    ``USERNAME_FIELD``. A backend of the project may accept only one of the two, and Django skips a backend
    whose signature does not have the arguments. So the name is passed under both, or under the one that all
    backends accept. If there is no such name, there are two attempts.
    """
    field = get_user_model().USERNAME_FIELD
    own, usual = {field: name}, {"username": name}
    if own == usual:
        return [usual]
    ways = [{**usual, **own}, own, usual]
    backends = [load_backend(path) for path in settings.AUTHENTICATION_BACKENDS]
    signatures = [signature(backend.authenticate) for backend in backends]
    accepted = [[way for way in ways if _accepts(found, way)] for found in signatures]
    suitable = [way for way in ways if all(way in found for found in accepted if found)]
    return suitable[:1] or [own, usual]


def _accepts(found: Signature, arguments: dict[str, Any]) -> bool:
    try:
        found.bind(None, **arguments, password="")
    except TypeError:
        return False
    return True


@sensitive_variables()
def _prove_any(
    request: HttpRequest, credentials: list[dict[str, Any]], start: Callable[[AbstractBaseUser], T]
) -> tuple[AbstractBaseUser, T]:
    for auth in credentials[:-1]:
        with suppress(LoginFailed):
            return prove(request, auth, start)
    return prove(request, credentials[-1], start)


@sensitive_variables()
def prove(
    request: HttpRequest | None,
    credentials: dict[str, str],
    start: Callable[[AbstractBaseUser], T],
    *,
    client: sessions.Client | None = None,
    ask: Authenticate | None = None,
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
        ask: see :func:`identify`.

    Raises:
        LoginFailed: the user is unknown, inactive or just deleted, or the password is wrong.
            ``user_login_failed`` has already been sent.
        TooManyAttempts: too many logins have failed.
    """
    fields = ("username", get_user_model().USERNAME_FIELD, "email")
    names = [str(credentials[name]) for name in fields if credentials.get(name)]
    with login_attempt(request, names, client=client):
        return _prove(request, credentials, start, ask)


@sensitive_variables()
def _prove(
    request: HttpRequest | None,
    credentials: dict[str, str],
    start: Callable[[AbstractBaseUser], T],
    ask: Authenticate | None,
) -> tuple[AbstractBaseUser, T]:
    for _ in range(MAX_PROOFS):
        user = identify(request, credentials, ask)
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


@sensitive_variables()
def identify(
    request: HttpRequest | None, credentials: dict[str, str], ask: Authenticate | None = None
) -> AbstractBaseUser | None:
    """Return the user of some credentials, or ``None`` after ``user_login_failed`` has been sent.

    Django's backend raises an error for a name that the column of the user name cannot read, such as "anna"
    for an integer, and for a user whose password is ``NULL``. Here that is a failed login like any other,
    with the work of one wrong password.

    A collation may also ignore accents, or letters without a width. Django's backend then finds an account by
    any number of spellings, and each would have its own limit of guesses. So no such spelling logs in.

    If there are several backends, one may count the attempts for the account, as ``EmailBackend`` does, and
    another may not, as Django's own. So the limits of the account are also asked after a success.

    Args:
        request: Django's own request, or ``None``.
        credentials: the arguments for ``ask``.
        ask: a function in place of Django's ``authenticate``.

    Raises:
        ChallengeRequired, LoginRefused: the password is right and not enough (``CHALLENGE``).
    """
    try:
        with checking_password():
            user = (ask or authenticate)(request=request, **credentials)
        if user is None:
            return None
        if _is_named(user, credentials) and _is_admitted(user):
            require_challenge(request, user)
            return user
        _do_work_after(user, credentials)
    except Exception as error:
        model: Any = get_user_model()
        several = isinstance(error, model.MultipleObjectsReturned)
        unreadable = is_unreadable(error) and not _can_be_read(credentials)
        if not several and not unreadable and not _is_of_empty_hash(error):
            raise
        model().set_password(credentials.get("password"))
    _report_failure(request, credentials)
    return None


def _is_of_empty_hash(error: Exception) -> bool:
    """Return whether Django was asked to identify a stored hash that is ``NULL``."""
    frames = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    return isinstance(error, TypeError) and frames[-1] is identify_hasher.__code__


def _find_model_backend() -> Any:
    """Return Django's own backend. Its module needs the user model, whose module may import this module."""
    from django.contrib.auth.backends import ModelBackend  # noqa: PLC0415 - see above

    return ModelBackend


@sensitive_variables()
def _is_named(user: AbstractBaseUser, credentials: dict[str, str]) -> bool:
    """Return whether a user has the name of the credentials, if Django's own backend has found the user."""
    found: Any = user
    path = getattr(found, "backend", None)  # a function in place of Django's may leave it out
    if path is None or type(load_backend(path)).authenticate is not _find_model_backend().authenticate:
        return True  # EmailBackend compares the names itself, and another backend may have other names
    typed = credentials.get("username", credentials.get(found.USERNAME_FIELD))
    return fold_name(str(typed)) == fold_name(read_name(found))


def _is_admitted(user: AbstractBaseUser) -> bool:
    """Return whether the limits of the account admit a user whom one of several backends has found."""
    return len(settings.AUTHENTICATION_BACKENDS) == 1 or admit_account(user)


@sensitive_variables()
def _do_work_after(user: AbstractBaseUser, credentials: dict[str, str]) -> None:
    """Do the work of the backends that a wrong password would have reached after the one that found the user.

    Otherwise the time of the refusal would show that the password is right.
    """
    paths = list(settings.AUTHENTICATION_BACKENDS)
    path = getattr(user, "backend", None)  # a function in place of Django's may leave it out
    for later in paths[paths.index(path) + 1 :] if path in paths else ():
        if isinstance(load_backend(later), _find_model_backend()):
            get_user_model()().set_password(credentials.get("password"))


def _can_be_read(credentials: dict[str, str]) -> bool:
    """Return whether the columns can read the names in these credentials."""
    names = {name: value for name, value in credentials.items() if name != "password"}
    column = find_email_field()
    address = names.pop("email", None)
    if address is not None and column is not None and not can_read(f"{column}__iexact", address):
        return False
    return all(can_read(get_user_model().USERNAME_FIELD, value) for value in names.values())


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
