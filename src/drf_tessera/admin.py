"""Sessions in Django's admin: to look at and to end, never to edit. No secret is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from drf_tessera import sessions
from drf_tessera.models import Session

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Session]
else:
    _Admin = admin.ModelAdmin  # Django's own class takes no type argument at run time


@admin.register(Session)
class SessionAdmin(_Admin):
    """The list of logins."""

    list_display: tuple[str, ...] = (
        "id",
        "user",
        "ip",
        "created_at",
        "rotated_at",
        "expires_at",
        "revoked_at",
        "revoked_for",
    )
    list_filter: ClassVar[tuple[str, ...]] = ("revoked_for",)
    list_select_related: ClassVar[tuple[str, ...]] = ("user",)
    search_fields: ClassVar[tuple[str, ...]] = ("=id", "ip", "label")
    # No date_hierarchy: on MariaDB without its time zone tables, which is how it is installed, it is a 500.
    exclude: ClassVar[tuple[str, ...]] = ("secret_hash",)
    actions: tuple[str, ...] = ("end_sessions",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only a login makes a session."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Nothing in a session is for editing."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """End a session instead; ``tessera_prune`` deletes it later.

        A deletion from these pages would send no signal, and nobody would hear of it. Other pages ask
        whether sessions may go with their user: they may, and the deletion of the user ends them.
        """
        match = request.resolver_match
        return match is not None and not (match.url_name or "").startswith("tessera_session_")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whoever may delete sessions in Django's terms may end them."""
        return request.user.has_perm("tessera.delete_session")

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End sessions, and tell how many were still live."""
        ended = sum(
            sessions.revoke(key, reason=sessions.Reason.ADMIN)
            for key in queryset.values_list("pk", flat=True)
        )
        self.message_user(request, f"{ended} sessions were ended.", messages.SUCCESS)
