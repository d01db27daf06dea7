"""Sessions in Django's admin. The admin can show and end sessions, but cannot edit them. It hides secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

from drf_tessera import sessions
from drf_tessera.database import suppress_unreadable
from drf_tessera.models import Session
from drf_tessera.users import MAX_NAME_LENGTH, find_email_field

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
        "device",
        "ip",
        "created_at",
        "rotated_at",
        "expires_at",
        "revoked_at",
        "revoked_for",
    )
    list_filter: ClassVar[tuple[str, ...]] = ("revoked_for",)
    list_select_related: ClassVar[tuple[str, ...]] = ("user",)
    search_fields: ClassVar[tuple[str, ...]] = (
        "=id",
        "ip",
        "label",
        "device",
    )  # and names: see get_search_fields()
    # No date_hierarchy, because it causes a 500 on MariaDB without time zone tables, and a new MariaDB has
    # no such tables.
    exclude: ClassVar[tuple[str, ...]] = ("secret_hash",)
    actions: tuple[str, ...] = ("end_sessions",)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Return the fields that a search reads, with the user name and the address of the user model."""
        model = get_user_model()
        columns = {field.name: field for field in model._meta.concrete_fields}
        found = [*super().get_search_fields(request)]
        for name in dict.fromkeys((model.USERNAME_FIELD, find_email_field())):
            field: Any = columns.get(name or "")
            path = f"user__{name}"
            if field is not None and field.is_relation:
                field, path = field.target_field, f"{path}__{field.target_field.name}"
            if field is not None and field.get_lookup("icontains") is not None:
                found.append(path)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        """Return the sessions that match. Letters that a column cannot read match nothing.

        A long text matches nothing either, because each of its words would add conditions to the query.
        """
        if len(search_term) > MAX_NAME_LENGTH:
            return queryset.none(), False
        found, repeats = super().get_search_results(request, queryset, search_term)
        if search_term.isascii():
            return found, repeats
        with suppress_unreadable():
            found.exists()
            return found, repeats
        return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return ``False``, because only a login creates a session."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Return ``False``, because nobody may edit a session."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Return ``False`` on the pages of sessions, and ``True`` on the pages of other models.

        A deletion on the pages of sessions would send no signal and publish no revocation. End a session
        instead; ``tessera_prune`` deletes the row later. Pages of other models ask whether the sessions
        may be deleted together with their user. They may, because the deletion of the user ends them.
        """
        match = request.resolver_match
        return match is not None and not (match.url_name or "").startswith("tessera_session_")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may end sessions. Django's permission to delete sessions is required."""
        return request.user.has_perm("tessera.delete_session")

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the sessions, and show how many of them were still live."""
        ended = sum(
            sessions.revoke(key, reason=sessions.Reason.ADMIN)
            for key in queryset.values_list("pk", flat=True)
        )
        self.message_user(request, f"{ended} sessions were ended.", messages.SUCCESS)
