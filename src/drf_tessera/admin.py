"""Sessions in Django's admin. The admin can show and end sessions, but cannot edit them. It hides secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.database import is_in_transaction, suppress_unreadable
from drf_tessera.models import Session
from drf_tessera.users import MAX_NAME_LENGTH, find_email_field

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Session]
else:
    _Admin = admin.ModelAdmin  # Django's own class takes no type argument at run time


END_ALL: Final = "tessera_session_end_all"
"""The name of the address."""

MOST: Final = 20_000
"""The number of sessions that a request can end in a few seconds."""


@admin.register(Session)
class SessionAdmin(_Admin):
    """The list of logins."""

    list_display: tuple[str, ...] = (
        "id",
        "user",
        "personal",
        "label",
        "device",
        "ip",
        "created_at",
        "rotated_at",
        "expires_at",
        "revoked_at",
        "revoked_for",
    )
    list_filter: ClassVar[tuple[str, ...]] = ("personal", "revoked_for")
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
    actions: tuple[str, ...] = ("end_sessions", "end_all_of_their_users")
    change_list_template: ClassVar[str] = "admin/tessera/session/change_list.html"

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

    def has_end_all_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may end the sessions of everybody. That is a permission of its own."""
        return request.user.has_perm("tessera.end_all_sessions")

    def get_urls(self) -> list[Any]:
        """Return the addresses of the model, and that of the page that ends all sessions.

        The page stands outside of a transaction (``ATOMIC_REQUESTS``), so that other processes hear of the
        end before the last row is written.
        """
        page = transaction.non_atomic_requests(self.admin_site.admin_view(self.end_all_sessions))
        return [path("end-all/", page, name=END_ALL), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list, with a button for those who may end all sessions."""
        allowed = {"may_end_all": self.has_end_all_permission(request)}
        return super().changelist_view(request, {**(extra_context or {}), **allowed})

    def end_all_sessions(self, request: HttpRequest) -> HttpResponse:
        """Show a question, and then end the sessions of everybody, also those of the caller.

        A table with many sessions takes longer than a request may take, so the command does that. The command
        does it too if a middleware of the project makes each request a transaction.
        """
        if not self.has_end_all_permission(request):
            raise PermissionDenied
        count = sessions.count_before(timezone.now())
        possible = count <= MOST and not is_in_transaction()
        if request.method == "POST" and possible:
            ended = sessions.revoke_everybody()
            self.message_user(request, f"{ended} sessions were ended.", messages.SUCCESS)
            return redirect(reverse("admin:tessera_session_changelist", current_app=self.admin_site.name))
        context = {
            **self.admin_site.each_context(request),
            "title": "End all sessions",
            "opts": self.opts,
            "count": count,
            "possible": possible,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/tessera/session/end_all.html", context)

    @admin.action(description="End all sessions of the users of the selected sessions", permissions=["end"])
    def end_all_of_their_users(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End all sessions of these users, and show how many there were."""
        users = set(queryset.values_list("user_id", flat=True))
        ended = sessions.revoke_all_of(users, reason=sessions.Reason.ADMIN)
        self.message_user(request, f"{ended} sessions were ended.", messages.SUCCESS)

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the sessions, and show how many of them were still live."""
        ended = sum(
            sessions.revoke(key, reason=sessions.Reason.ADMIN)
            for key in queryset.values_list("pk", flat=True)
        )
        self.message_user(request, f"{ended} sessions were ended.", messages.SUCCESS)
