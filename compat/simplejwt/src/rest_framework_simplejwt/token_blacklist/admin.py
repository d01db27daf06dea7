"""The tables of simplejwt in Django's admin, which can show rows and end the session of a row."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from typing import Optional as Optional

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request as Request

from rest_framework_simplejwt.models import TokenUser as TokenUser
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin  # Django's own class takes no type argument at run time

AuthUser = TypeVar("AuthUser", AbstractBaseUser, TokenUser)


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(_Admin):
    """Shows the logins. It does not show the tokens of simplejwt, because a reader could use a token."""

    list_display = ("jti", "user", "created_at", "expires_at")
    search_fields = ("user__id", "jti")
    ordering = ("user",)
    exclude = ("token",)
    actions = None

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows with their users, in one query."""
        return super().get_queryset(*args, **kwargs).select_related("user")

    def get_readonly_fields(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return all fields that the admin shows."""
        return [field.name for field in self.model._meta.fields if field.name not in self.exclude]

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Return ``False``."""
        return False

    def has_delete_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Return ``False``."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Return ``False``. A person with the permission to view can see the rows."""
        return False


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(_Admin):
    """Shows the blacklisted tokens. A new row ends the session of its token."""

    list_display = ("token_jti", "token_user", "token_created_at", "token_expires_at", "blacklisted_at")
    search_fields = ("token__user__id", "token__jti")
    ordering = ("token__user",)
    autocomplete_fields = ("token",)

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows with their tokens and users, in one query."""
        return super().get_queryset(*args, **kwargs).select_related("token__user")

    @admin.display(description=_("jti"), ordering="token__jti")
    def token_jti(self, obj: BlacklistedToken) -> str:
        """Return the id of the token."""
        return obj.token.jti

    @admin.display(description=_("user"), ordering="token__user")
    def token_user(self, obj: BlacklistedToken) -> Any:
        """Return the user of the token."""
        return obj.token.user

    @admin.display(description=_("created at"), ordering="token__created_at")
    def token_created_at(self, obj: BlacklistedToken) -> datetime | None:
        """Return the time of the login."""
        return obj.token.created_at

    @admin.display(description=_("expires at"), ordering="token__expires_at")
    def token_expires_at(self, obj: BlacklistedToken) -> datetime:
        """Return the time at which the token expires."""
        return obj.token.expires_at
