"""From a token of another issuer to a user of this project.

The user is found by one field, and is created when its first token comes, if the entry says so. Two first
tokens at once end in one user, because the field is unique (E043).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, IntegrityError, transaction
from django.db.models import Field, UniqueConstraint

from drf_tessera.conf import Issuer, Settings, per_tenant
from drf_tessera.database import find_database, read_calmly, translated_trouble, undone
from drf_tessera.exceptions import TokenClaimInvalid, UserConflict, UserGone, UserInactive
from drf_tessera.issuers.principals import ForeignToken, Principal
from drf_tessera.issuers.verifying import find_entry
from drf_tessera.texts import Text
from drf_tessera.tokens import LRU, VERIFIED_TOKENS
from drf_tessera.users import (
    Fail,
    Refuse,
    find_user_by,
    is_active,
    lazy_row,
    load_row,
    read_value,
    write_sub,
)

_EMAIL: Final = "email"


@per_tenant
def _get_owners(settings: Settings) -> LRU[str]:
    """Return the texts of the primary keys of users that were found, by token."""
    return LRU(VERIFIED_TOKENS if settings.issuers else 0)


def find_account(
    token: ForeignToken, *, refuse: Refuse | None, fail: Fail | None = None
) -> AbstractBaseUser | Principal:
    """Return the user of a verified token, or a :class:`Principal` if its entry maps to no user.

    The first token of a user costs a query. Then the process knows the primary key, and the user is lazy, as
    for tokens of our own.

    Args:
        token: verified.
        refuse: as for :func:`drf_tessera.users.lazy_user`. ``None`` loads the row at once.
        fail: as for :func:`drf_tessera.users.lazy_user`.

    Raises:
        TokenClaimInvalid: the claim that identifies the user is missing, or is an unverified address.
        UserGone: the user does not exist, and is not created here.
        UserInactive: the user may no longer log in.
        UserConflict: another account has the data of the user.
        DatabaseUnavailable: the database cannot be used.
    """
    issuer = find_entry(token.issuer)
    if not issuer.has_user:
        return Principal(token)
    if issuer.find_user is not None:
        return _ask_project(issuer.find_user, token)
    value = _read_identity(issuer, token)
    owners = _get_owners()
    # One query for each token, because a user may be deleted, or get another token after a change.
    name = f"{issuer.issuer}\n{value}\n{token.expires_at}"
    sub = owners.get(name)
    if sub is not None:
        return load_row(sub) if refuse is None else lazy_row(sub, refuse=refuse, fail=fail)
    with translated_trouble():
        user = _find_or_create(issuer, token, value)
    owners.put(name, write_sub(user.pk))
    return user


def preview_account(token: ForeignToken) -> AbstractBaseUser | Principal | None:
    """Return what :func:`find_account` would return, and create nothing. ``None``: a user would be created.

    A function of the project (``find_user``) is called, and what it writes is rolled back.

    Raises:
        TokenClaimInvalid, UserGone, UserInactive, DatabaseUnavailable: see :func:`find_account`.
    """
    issuer = find_entry(token.issuer)
    if not issuer.has_user:
        return Principal(token)
    if issuer.find_user is not None:
        with undone():
            return _ask_project(issuer.find_user, token)
    value = _read_identity(issuer, token)
    with translated_trouble():
        return _find(issuer, value)


def _find(issuer: Issuer, value: str) -> AbstractBaseUser | None:
    """Return the user, or ``None`` if the entry says that a user is created now."""
    user: Any = read_calmly(lambda: find_user_by(str(issuer.user_field), value))
    if user is not None:
        _check_active(user)
    elif not issuer.create:
        raise UserGone
    found: AbstractBaseUser | None = user
    return found


def _find_or_create(issuer: Issuer, token: ForeignToken, value: str) -> AbstractBaseUser:
    user: Any = _find(issuer, value)
    if user is None:
        user = _create(issuer, token, value)
        _check_active(user)
    found: AbstractBaseUser = user
    return found


def _ask_project(find_user: Callable[..., Any], token: ForeignToken) -> AbstractBaseUser:
    user: AbstractBaseUser | None = find_user(token)
    if user is None:
        raise UserGone
    _check_active(user)
    return user


def _check_active(user: Any) -> None:
    if not is_active(user):
        raise UserInactive


def _read_identity(issuer: Issuer, token: ForeignToken) -> str:
    """Return the text that identifies the user.

    An address counts only if the provider says that it has been verified. Otherwise a person could register
    there with the address of somebody else.
    """
    name = issuer.user_claim
    value = token.get(name)
    if not isinstance(value, str) or not value:
        raise TokenClaimInvalid(name)
    if _is_unproved(token, name):
        raise TokenClaimInvalid("email_verified")
    return value


def _is_unproved(token: ForeignToken, claim: str) -> bool:
    """Return whether a claim is an address that the provider has not verified."""
    return claim == _EMAIL and token.get("email_verified") is not True


def _create(issuer: Issuer, token: ForeignToken, value: str) -> Any:
    """Create the user, or return the one that another request has just created."""
    model: Any = get_user_model()
    chosen = str(issuer.user_field)
    user = model()
    user.set_unusable_password()
    for name, claim in issuer.user_fields.items():
        found = _read_column(model, name, token.get(claim))
        if found is not None and not _is_unproved(token, claim):
            setattr(user, name, found)
    identity = _read_column(model, chosen, value)
    if identity is None:
        raise TokenClaimInvalid(issuer.user_claim)
    setattr(user, chosen, identity)
    using = find_database()
    try:
        with transaction.atomic(using=using):
            user.save(using=using, force_insert=True)
    except (IntegrityError, DataError):
        other = find_user_by(chosen, value)
        if other is None:
            raise UserConflict from None
        return other
    return user


def _read_column(model: Any, name: str, value: Any) -> Any:
    """Return a claim as a value for a column, or ``None`` if the column cannot hold it."""
    if isinstance(value, dict | list) or (isinstance(value, str) and "\0" in value):
        return None  # PostgreSQL accepts no text with a NUL character
    return read_value(model._meta.get_field(name), value)


# -- For the system check --------------------------------------------------------------------------


def check_accounts(issuers: tuple[Issuer, ...]) -> list[Text]:
    """Return the problems of the fields that the entries name."""
    return [text for issuer in issuers if issuer.user_field is not None for text in _check_fields(issuer)]


def _check_fields(issuer: Issuer) -> list[Text]:
    model: Any = get_user_model()
    found = []
    for name in (str(issuer.user_field), *issuer.user_fields):
        where = f"{model._meta.label}.{name}"
        try:
            column = model._meta.get_field(name)
        except FieldDoesNotExist:
            column = None
        if not isinstance(column, Field) or not column.concrete or column.is_relation:
            found.append(Text("%(column)s is not a plain column.", column=where))
        elif name in {"password", "is_staff", "is_superuser"} or column.primary_key:
            found.append(Text("%(column)s must not come from a token.", column=where))
        elif name == issuer.user_field and not _is_unique(model, name):
            found.append(Text("%(column)s is not unique, so it cannot identify a user.", column=where))
    if issuer.create and not found:
        found += _find_unfilled(model, {str(issuer.user_field), *issuer.user_fields})
    return found


def _find_unfilled(model: Any, filled: set[str]) -> list[Text]:
    """Return the unique columns that would be empty in each new user, so that the second is refused."""
    return [
        Text(
            "%(column)s is unique, and a new user has no value for it.",
            column=f"{model._meta.label}.{column.name}",
        )
        for column in model._meta.concrete_fields
        if column.unique
        and not (column.primary_key or column.null or column.has_default() or column.name in filled)
    ]


def _is_unique(model: Any, name: str) -> bool:
    return model._meta.get_field(name).unique or any(
        isinstance(item, UniqueConstraint) and item.condition is None and tuple(item.fields) == (name,)
        for item in model._meta.constraints
    )
