"""Log in with an e-mail address: a Django authentication backend."""

from __future__ import annotations

import logging
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db.models import Case, Q, When
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from drf_tessera.limits import admit_account
from drf_tessera.receivers import checking_password
from drf_tessera.users import find_email_field, fold_name

logger: Final = logging.getLogger("drf_tessera")

_MAX_CANDIDATES: Final = 10


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
        user = _find(name, email)
        if user is None or not admit_account(user):
            model().set_password(password)  # the same amount of work as for a wrong password
            return None
        with checking_password():
            fits = user.check_password(password)
        return user if fits and self.user_can_authenticate(user) else None

    async def aauthenticate(self, request: HttpRequest | None, *args: Any, **kwargs: Any) -> Any:
        """Call :meth:`authenticate` for async callers."""
        return await sync_to_async(self.authenticate)(request, *args, **kwargs)


def _find(name: str | None, email: str | None) -> Any:
    """Return the user with this user name or address, or ``None``. Makes one query."""
    model = get_user_model()
    column = find_email_field()
    address = email if email is not None else name if name is not None and "@" in name else None
    wanted = Q(**{model.USERNAME_FIELD: name}) if name is not None else Q()
    if address is not None and column is not None:
        wanted |= Q(**{f"{column}__iexact": address})
    # Sort the exact user name first, because many other accounts may have the same text as their address.
    exactly = Case(When(Q(**{model.USERNAME_FIELD: name or ""}), then=0), default=1)
    candidates = list(model._default_manager.filter(wanted).order_by(exactly)[:_MAX_CANDIDATES])
    named = [user for user in candidates if name is not None and user.get_username() == name]
    if named:
        return named[0]
    if address is None or column is None:
        # The collation of the database may fold letters. Refuse a spelling that the collation accepts but
        # fold_name does not, such as other accents, because it would have its own login limit.
        return next(
            (user for user in candidates if fold_name(user.get_username()) == fold_name(name or "")), None
        )
    # A collation may also ignore accents, so compare the letters of the addresses again.
    matching = [user for user in candidates if getattr(user, column).casefold() == address.casefold()]
    if len(matching) > 1:
        logger.warning("A login by e-mail was refused, because several accounts share the address.")
    return matching[0] if len(matching) == 1 else None
