"""Log in with an e-mail address: a Django authentication backend."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db.models import Case, Q, When
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from drf_tessera.database import suppress_unreadable
from drf_tessera.limits import admit_account
from drf_tessera.receivers import checking_password
from drf_tessera.users import find_email_field, fold_name, read_name

logger: Final = logging.getLogger("drf_tessera")

_MAX_CANDIDATES: Final = 10
_SEVERAL: Final = "A login was refused, because several accounts have the same user name or e-mail address."


class EmailBackend(ModelBackend):
    """Accept the user name, or the e-mail address in any letter case.

    Use this backend in ``AUTHENTICATION_BACKENDS`` instead of ``ModelBackend``. Permissions work as in
    ``ModelBackend``. Exactly one password hash is computed whether the user exists or not, so the time of
    the answer does not show which accounts exist.

    An address that several accounts share logs nobody in. If the backend chose one of these accounts, a
    person who registers a second account with your address could change the choice. The user names of
    these accounts still work.
    """

    @sensitive_variables()
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        email: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the user of these credentials, or ``None`` so that Django asks the next backend."""
        model = get_user_model()
        name = username if username is not None else kwargs.get(model.USERNAME_FIELD)
        if password is None or (name is None and (email is None or find_email_field() is None)):
            return None
        address = email if email is not None else name if name is not None and "@" in str(name) else None
        candidates = _find_candidates(name, address)
        user = _choose_by_name(candidates, name)
        if user is None and address is not None:
            user = _choose_by_address(candidates, address)
        if not admit_account(user):
            model().set_password(password)  # the same amount of work as for a wrong password
            return None
        with checking_password():
            fits = user.check_password(password)
        return user if fits and self.user_can_authenticate(user) else None

    async def aauthenticate(self, request: HttpRequest | None, *args: Any, **kwargs: Any) -> Any:
        """Call :meth:`authenticate` for async callers."""
        return await sync_to_async(self.authenticate)(request, *args, **kwargs)


def _find_candidates(name: Any, address: str | None) -> list[Any]:
    """Return the users that may have this user name or this address, from one query.

    The database's collation decides, so there may be users with other letter case or accents among them.
    """
    users, column = get_user_model()._default_manager.all(), find_email_field()
    wanted, order = Q(), []
    if name is not None and _can_filter(users, named := Q(**{get_user_model().USERNAME_FIELD: name})):
        wanted |= named
        # The user name itself comes first, because any number of users may have this name as their address.
        order = [Case(When(named, then=0), default=1)]
    if address is not None and column is not None:
        wanted |= Q(**{f"{column}__iexact": address})
    if not wanted:
        return []
    found: list[Any] = []
    with suppress_unreadable():
        found = list(users.filter(wanted).order_by(*order)[:_MAX_CANDIDATES])
    return list({user.pk: user for user in found}.values())  # a manager with joins may repeat a user


def _can_filter(users: Any, named: Q) -> bool:
    """Return whether the column of the user name can read the name at all."""
    with suppress_unreadable():
        users.filter(named)
        return True
    return False


def _choose_by_name(candidates: Iterable[Any], name: Any) -> Any:
    """Return the one candidate with this user name, or ``None``.

    A collation may find a user by other letter case, and so may we. A collation that also ignores accents
    must not: otherwise each of many spellings would have its own budget of guesses at one password.
    """
    if name is None:
        return None
    wanted, named = str(name), [(read_name(user), user) for user in candidates]
    exact = [user for found, user in named if found == wanted]
    return _take_one(exact or [user for found, user in named if fold_name(found) == fold_name(wanted)])


def _choose_by_address(candidates: Iterable[Any], address: str) -> Any:
    """Return the one candidate with this address in any case of letters, or ``None``."""
    column = find_email_field()
    if column is None:
        return None
    wanted = address.casefold()  # a collation may also ignore accents, and an address may be NULL
    return _take_one([user for user in candidates if str(getattr(user, column) or "").casefold() == wanted])


def _take_one(found: list[Any]) -> Any:
    if len(found) > 1:
        logger.warning(_SEVERAL)
    return found[0] if len(found) == 1 else None
