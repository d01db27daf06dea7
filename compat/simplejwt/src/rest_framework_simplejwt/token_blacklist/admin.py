"""The tables of simplejwt in Django's admin, which can show rows and end the session of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin  # Django's own class takes no type argument at run time


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(_Admin):
    """Shows the logins. It does not show the tokens of simplejwt, because a reader could use a token."""

    list_display = ("jti", "user", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__id", "jti")
    ordering = ("user",)
    exclude = ("token",)
    actions = None

    def has_add_permission(self, *args: Any, **kwargs: Any) -> bool:
        """Return ``False``. Changing and deleting are refused too."""
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(_Admin):
    """Shows the blacklisted tokens. A new row ends the session of its token."""

    list_display = ("token", "blacklisted_at")
    list_select_related = ("token__user",)
    search_fields = ("token__user__id", "token__jti")
    ordering = ("token__user",)
    autocomplete_fields = ("token",)
