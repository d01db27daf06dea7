"""The user of simplejwt that has no row in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from django.contrib.auth import models as auth_models
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models.manager import EmptyManager

from rest_framework_simplejwt.settings import api_settings

if TYPE_CHECKING:
    from rest_framework_simplejwt.tokens import Token


class TokenUser:
    """A user that consists only of a token's claims, for services without a table of users."""

    is_active = True
    is_anonymous = False
    is_authenticated = True

    def __init__(self, token: Token) -> None:
        self.token = token

    def __str__(self) -> str:
        return f"TokenUser {self.id}"

    @property
    def id(self) -> Any:
        """The user's id from the token."""
        return self.token[api_settings.USER_ID_CLAIM]

    @property
    def pk(self) -> Any:
        """The same value as :attr:`id`."""
        return self.id

    @property
    def username(self) -> str:
        """The claim ``username``, or an empty string."""
        return self.token.get("username", "")  # type: ignore[no-any-return]  # a claim

    @property
    def is_staff(self) -> bool:
        """The claim ``is_staff``; without the claim, ``False``."""
        return self.token.get("is_staff", False) is True

    @property
    def is_superuser(self) -> bool:
        """The claim ``is_superuser``; without the claim, ``False``."""
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

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "token":
            raise AttributeError(name)
        return self.token.get(name)

    def get_username(self) -> str:
        """Return the user name."""
        return self.username

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """Return an empty set."""
        return set()

    get_group_permissions = get_all_permissions

    def has_perm(self, *args: object, **kwargs: object) -> bool:
        """Return ``False``."""
        return False

    has_perms = has_module_perms = has_perm

    def _refuse(self, *args: object) -> NoReturn:
        raise NotImplementedError("Token users have no DB representation")

    save = delete = set_password = check_password = _refuse


AuthUser = TypeVar("AuthUser", AbstractBaseUser, TokenUser)
