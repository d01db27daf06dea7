"""The limits of failed logins: for an address, for an account from one network, for an account everywhere.

``docs/explanation/throttling.md`` says which attack each number is for. A login reserves one attempt in each
budget before its password is checked, and gets them back if it succeeds.

The answers must not show which accounts exist. So an answer "too many attempts" depends only on the name that
was typed, which counts in the same way whether there is such an account or not. The failures of one account
under its other names are counted too, but an attempt that only these refuse is answered like a wrong
password.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest

from drf_tessera import signals
from drf_tessera.conf import get_settings
from drf_tessera.database import (
    find_database,
    revive_connection,
    suppress_unreadable,
    translated_trouble,
)
from drf_tessera.exceptions import (
    ChallengeRequired,
    LoginFailed,
    LoginRefused,
    TemporarilyUnavailable,
    TooManyAttempts,
)
from drf_tessera.limits.counters import (
    Budget,
    Reservation,
    Spent,
    is_first,
    read_rate,
    refund_all,
    reserve_all,
)
from drf_tessera.limits.turns import turn
from drf_tessera.networks import UNKNOWN, name_network, name_site
from drf_tessera.sessions import Client, clean_text, has_logged_in_from, is_heard, report_refusal
from drf_tessera.users import MAX_NAME_LENGTH, find_email_field, fold_name

SITE_FACTOR: Final = 10
"""How many times the budget of one network belongs to a network of 48 bits, or to all unknown addresses."""

_HELD: Final = "_tessera_attempt"
"""The attribute of Django's request that keeps the attempts that its address has reserved."""


# -- By address ------------------------------------------------------------------------------------


def admit_address(request: HttpRequest, client: Client) -> None:
    """Count a login of the client's address, once for each request.

    Call this before the body is read. :func:`login_attempt` takes the attempt back after a success.

    Raises:
        TooManyAttempts: the limit of the address is reached.
    """
    if getattr(request, _HELD, None) is None:
        setattr(request, _HELD, _reserve_address(client))


def refund_address(request: HttpRequest) -> None:
    """Undo the attempt of :func:`admit_address`, because the login has succeeded."""
    refund_all(getattr(request, _HELD, None) or [])


def _reserve_address(client: Client) -> list[Reservation]:
    try:
        return reserve_all(_list_address_budgets(client.ip))
    except Spent as spent:
        _report_throttled(spent, client, "")
        raise


def _list_address_budgets(address: str | None) -> Iterator[Budget]:
    rate, name = get_settings().login_rate_per_address, "login_rate_per_address"
    if rate is not None:
        limit, seconds = read_rate(rate)
        for key, factor in list_address_keys(address):
            yield Budget(name=name, key=key, limit=limit * factor, seconds=seconds)


def list_address_keys(address: str | None) -> Iterator[tuple[str, int]]:
    """Yield each key under which an address is counted, and how many times the limit this key has."""
    network, site = name_network(address), name_site(address)
    if network != UNKNOWN:
        yield network, 1
    if site is not None:
        yield site, SITE_FACTOR


# -- By account ------------------------------------------------------------------------------------


@contextmanager
def login_attempt(
    request: HttpRequest | None,
    names: Iterable[str],
    *,
    client: Client | None = None,
    refusals: tuple[type[Exception], ...] = (LoginFailed,),
) -> Iterator[None]:
    """Count the login in the block as failed, unless the block succeeds.

    Inside the block of another attempt this does nothing.

    Args:
        request: Django's own request, or ``None``.
        names: the names of the account, as they were typed.
        client: where the login comes from.
        refusals: the errors that mean that the credentials are wrong.

    Raises:
        TooManyAttempts: a limit is reached. The block was not executed; or it was, and has failed.
        LoginBusy: too many logins are being checked in this process. The attempt does not count.
        DatabaseUnavailable: the database cannot be used. The attempt does not count.
    """
    if _current.get() is not None:
        yield
        return
    where = client or Client()
    held = _reserve_address(where) if request is None else []
    if request is not None:
        admit_address(request, where)
    attempt = _Attempt(names=tuple(dict.fromkeys(names)), client=where, held=held)
    mark = _current.set(attempt)
    try:
        with translated_trouble():
            revive_connection()
            attempt.enter()
            with turn():
                yield
    except refusals:
        attempt.report_failure()
        if attempt.late is not None:
            raise attempt.late from None
        raise
    except (TemporarilyUnavailable, ChallengeRequired, LoginRefused):  # the last two: the password is right
        attempt.refund(request)
        raise
    else:
        attempt.refund(request)
    finally:
        _current.reset(mark)


def admit_account(user: Any) -> bool:
    """Return whether the password of a user may be checked now, in a login that is being counted.

    An authentication backend that finds an account by more than one name calls this before it checks the
    password. If the result is ``False``, the backend does the work of a wrong password and refuses. Outside
    of :func:`login_attempt` the result is ``True`` for every user.

    Args:
        user: the user, or ``None`` if nobody has the name. The work is the same then, and the result is
            ``False``.
    """
    attempt = _current.get()
    return user is not None if attempt is None else attempt.admit(user)


@dataclass(slots=True, kw_only=True)
class _Attempt:
    names: tuple[str, ...] = field(repr=False)
    client: Client = field(repr=False)
    held: list[Reservation]
    late: TooManyAttempts | None = None
    """The refusal of an attempt that may still succeed, because its user has logged in from there before."""
    judged: dict[Any, bool] = field(default_factory=dict)

    def enter(self) -> None:
        """Reserve the attempt under the typed names.

        Raises:
            Spent: too many attempts have failed under one of the names.
        """
        accounts = list(dict.fromkeys(f"name {fold_name(name)}" for name in self.names))
        try:
            self.held += reserve_all(_list_near_budgets(accounts, self.client.ip))
            self._enter_everywhere(accounts)
        except Spent as spent:
            _report_throttled(spent, self.client, self.names[0])
            raise

    def _enter_everywhere(self, accounts: list[str]) -> None:
        """Reserve in the loose budgets. Somebody who has logged in from this network before passes.

        The work of one password is done for everybody, so the time does not show who has passed.
        """
        try:
            self.held += reserve_all(_list_loose_budgets(accounts))
        except Spent as spent:
            if not any(_is_known(name, self.network) for name in self.names):
                with turn():
                    make_password("the work of a wrong password")
                refund_all(self.held)
                raise
            self.late = spent

    @property
    def network(self) -> str:
        return name_network(self.client.ip)

    def admit(self, user: Any) -> bool:
        """Reserve the attempt under the account itself. See :func:`admit_account`."""
        key = None if user is None else user.pk
        if key not in self.judged:
            self.judged[key] = self._judge(key)
        return user is not None and self.judged[key]

    def _judge(self, key: Any) -> bool:
        # Without an account the cache is asked as often, so the time does not show which accounts exist.
        accounts = [f"nobody {fold_name(name)}" for name in self.names[:1]] if key is None else [f"key {key}"]
        try:
            self.held += reserve_all(_list_near_budgets(accounts, self.client.ip))
        except Spent as spent:
            _report_throttled(spent, self.client, self.names[0] if self.names else "")
            return False
        try:
            self.held += reserve_all(_list_loose_budgets(accounts))
        except Spent as spent:
            _report_throttled(spent, self.client, self.names[0] if self.names else "")
            users = get_user_model()._default_manager.using(find_database()).filter(pk=key)
            return has_logged_in_from(users, self.network)
        return True

    def refund(self, request: HttpRequest | None) -> None:
        """Undo everything."""
        refund_all(self.held)
        if request is not None:
            refund_address(request)

    def report_failure(self) -> None:
        name = clean_text(self.names[0], MAX_NAME_LENGTH) if self.names else ""
        report_refusal(signals.login_failed, lambda: self.client, name=name)


_current: ContextVar[_Attempt | None] = ContextVar("drf_tessera_login_attempt", default=None)


def _list_near_budgets(accounts: Iterable[str], address: str | None) -> Iterator[Budget]:
    rate, name = get_settings().login_rate_per_account, "login_rate_per_account"
    if rate is not None:
        limit, seconds = read_rate(rate)
        network = name_network(address)
        if network == UNKNOWN:
            limit *= SITE_FACTOR  # many people share this "network"
        for account in accounts:
            yield Budget(name=name, key=f"{network} {account}", limit=limit, seconds=seconds)


def _list_loose_budgets(accounts: Iterable[str]) -> Iterator[Budget]:
    rate, name = get_settings().login_rate_per_account_everywhere, "login_rate_per_account_everywhere"
    if rate is not None:
        limit, seconds = read_rate(rate)
        for account in accounts:
            yield Budget(name=name, key=account, limit=limit, seconds=seconds)


def _is_known(name: str, network: str) -> bool:
    """Return whether the account that a name means has logged in from this network before."""
    with suppress_unreadable():  # the columns cannot have this value
        return has_logged_in_from(_select_users(name), network)
    return False


def _select_users(name: str) -> QuerySet[Any]:
    """Select the users that may be meant by a name or an address.

    A name that is somebody's user name is not also read as an address. Otherwise a stranger could give an
    account of their own the name as its address, and each network of theirs would be known.
    """
    model, column = get_user_model(), find_email_field()
    users = model._default_manager.using(find_database())
    address = Q(**{f"{column}__iexact": name}) if column is not None and "@" in name else Q(pk__in=())
    named = Q(**{model.USERNAME_FIELD: name})
    with suppress_unreadable():  # the column of the user name cannot have this value
        return users.filter(named | address & ~Exists(users.filter(named)))
    return users.filter(address)


# -- Signals ---------------------------------------------------------------------------------------


def _report_throttled(spent: Spent, client: Client, name: str) -> None:
    if is_heard(signals.login_throttled) and is_first(spent):
        report_refusal(
            signals.login_throttled,
            lambda: client,
            limit=spent.budget.name,
            name=clean_text(name, MAX_NAME_LENGTH),
            retry_after=spent.retry_after,
        )
