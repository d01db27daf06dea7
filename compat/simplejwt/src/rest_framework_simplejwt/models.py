"""The user of simplejwt that has no row in the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING as TYPE_CHECKING
from typing import Any, NoReturn, Protocol, TypeVar
from typing import Optional as Optional
from typing import Union as Union

from django.contrib.auth import models as auth_models
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models.manager import EmptyManager
from django.utils.functional import cached_property as cached_property

from rest_framework_simplejwt.settings import api_settings


class Claims(Protocol):
    """The claims of a token: a token object or a dict."""

    def __getitem__(self, key: str, /) -> Any: ...
    def __contains__(self, key: object, /) -> bool: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """Return a claim, or ``default``."""


class TokenUser:
    """A user that consists only of a token's claims, for services without a table of users.

    The properties of a claim are cached, so that a project can assign to them, as in simplejwt.
    """

    is_active = True

    def __init__(self, token: Claims) -> None:
        self.token = token

    def __str__(self) -> str:
        return f"TokenUser {self.id}"

    @property
    def is_anonymous(self) -> bool:
        """Always ``False``."""
        return False

    @property
    def is_authenticated(self) -> bool:
        """Always ``True``."""
        return True

    @cached_property
    def id(self) -> Any:
        """The user's id from the token."""
        return self.token[api_settings.USER_ID_CLAIM]

    @cached_property
    def pk(self) -> Any:
        """The same value as :attr:`id`."""
        return self.id

    @cached_property
    def username(self) -> str:
        """The claim ``username``, or an empty string."""
        return self.token.get("username", "")  # type: ignore[no-any-return]  # a claim

    @cached_property
    def is_staff(self) -> bool:
        """The claim ``is_staff``; ``False`` without it, or with another value than ``True``."""
        return self.token.get("is_staff", False) is True

    @cached_property
    def is_superuser(self) -> bool:
        """The claim ``is_superuser``; ``False`` without it, or with another value than ``True``."""
        return self.token.get("is_superuser", False) is True

    @property
    def groups(self) -> Any:
        """An empty manager of groups."""
        return EmptyManager(auth_models.Group)

    @property
    def user_permissions(self) -> Any:
        """An empty manager of permissions."""
        return EmptyManager(auth_models.Permission)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, TokenUser) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __getattr__(self, attr: str) -> Any:
        if attr.startswith("__") or attr == "token":
            raise AttributeError(attr)
        return self.token.get(attr)

    def get_username(self) -> str:
        """Return the user name."""
        return self.username

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """Return an empty set."""
        return set()

    def get_group_permissions(self, obj: object = None) -> set[str]:
        """Return an empty set."""
        return set()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return ``False``."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """Return ``False``."""
        return False

    def has_module_perms(self, module: str) -> bool:
        """Return ``False``."""
        return False

    def save(self) -> NoReturn:
        """Refuse, because this user has no row."""
        raise NotImplementedError(NO_ROW)

    def delete(self) -> NoReturn:
        """Refuse, because this user has no row."""
        raise NotImplementedError(NO_ROW)

    def set_password(self, raw_password: str) -> NoReturn:
        """Refuse, because this user has no row."""
        raise NotImplementedError(NO_ROW)

    def check_password(self, raw_password: str) -> NoReturn:
        """Refuse, because this user has no row."""
        raise NotImplementedError(NO_ROW)


NO_ROW = "Token users have no DB representation"
AuthUser = TypeVar("AuthUser", AbstractBaseUser, TokenUser)
