"""Sessions in Django's admin. It can show and end sessions, and hides secrets.

Give the admin of your user model ``inlines = [SessionInline]``, and the page of a user has their sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.admin_keys import SigningKeyAdmin, write_moment
from drf_tessera.database import is_in_transaction, suppress_unreadable
from drf_tessera.exceptions import TemporarilyUnavailable, UserGone, UserInactive
from drf_tessera.http import deliver_grant
from drf_tessera.models import Session
from drf_tessera.rest.requests import find_client
from drf_tessera.users import MAX_NAME_LENGTH, find_email_field, parse_sub, write_sub

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    _Text = str | _StrPromise
    _Admin = admin.ModelAdmin[Session]
    _Inline = admin.TabularInline[Session, Any]
else:
    _Text = str
    _Admin = admin.ModelAdmin  # Django's own classes take no type argument at run time
    _Inline = admin.TabularInline


__all__ = ["SessionAdmin", "SessionInline", "SigningKeyAdmin"]  # Django finds the keys through this module

ACTING_MINUTES: Final = 15
"""How long somebody acts as another person, from here."""

END_ALL: Final = "tessera_session_end_all"
"""The name of the address."""

MOST: Final = 20_000
"""The number of sessions that a request can end in a few seconds."""

MOST_SHOWN: Final = 20
"""The number of sessions on the page of a user."""

REASONS: Final[Mapping[str, _Text]] = {
    sessions.Reason.LOGOUT: _("logged out"),
    sessions.Reason.LOGOUT_ALL: _("logged out everywhere"),
    sessions.Reason.PASSWORD_CHANGED: _("new password"),
    sessions.Reason.USER_INACTIVE: _("account deactivated"),
    sessions.Reason.USER_DELETED: _("account deleted"),
    sessions.Reason.EVICTED: _("too many sessions"),
    sessions.Reason.REUSED: _("token stolen"),
    sessions.Reason.LOST: _("answers lost"),
    sessions.Reason.ADMIN: _("by an administrator"),
}
"""The reasons why a session ended, in words."""

STATES: Final[Mapping[str, _Text]] = {
    "live": _("Live"),
    "idle": _("Idle for too long"),
    "expired": _("Expired"),
    "ended": _("Ended"),
}


def name_state(session: Session, now: datetime) -> str:
    """Return the key of the state in :data:`STATES`."""
    if session.revoked_at is not None:
        return "ended"
    if session.expires_at <= now:
        return "expired"
    return "live" if session.idle_expires_at > now else "idle"


def _describe_reason(reason: str) -> _Text:
    return REASONS.get(reason, reason)


class StateFilter(admin.SimpleListFilter):
    """Filters sessions by their state."""

    title: Any = _("state")
    parameter_name: str = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, _Text]]:
        """Return the states."""
        return STATES.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        """Return the sessions of the chosen state."""
        now = timezone.now()
        unended = queryset.filter(revoked_at=None)
        if self.value() == "live":
            return unended.filter(idle_expires_at__gt=now, expires_at__gt=now)
        if self.value() == "idle":
            return unended.filter(idle_expires_at__lte=now, expires_at__gt=now)
        if self.value() == "expired":
            return unended.filter(expires_at__lte=now)
        return queryset.exclude(revoked_at=None) if self.value() == "ended" else queryset


class ReasonFilter(admin.SimpleListFilter):
    """Filters sessions by the reason of their end."""

    title: Any = _("reason of the end")
    parameter_name: str = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, _Text]]:
        """Return the reasons. No query is made, because the table may be long."""
        return REASONS.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        """Return the sessions that ended for the chosen reason."""
        return queryset if self.value() is None else queryset.filter(revoked_for=self.value())


@admin.register(Session)
class SessionAdmin(_Admin):
    """The list of logins, the newest first."""

    list_display: tuple[str, ...] = ("login", "person", "client", "address", "last_used", "state")
    list_filter: ClassVar[tuple[Any, ...]] = (StateFilter, ReasonFilter, "personal")
    ordering: ClassVar[tuple[str, ...]] = ("-created_at",)
    list_select_related: ClassVar[tuple[str, ...]] = ("user",)
    search_fields: ClassVar[tuple[str, ...]] = (
        "=id",
        "ip",
        "label",
        "device",
    )  # and names: see get_search_fields()
    # No date_hierarchy, because it causes a 500 on MariaDB without time zone tables, and a new MariaDB has
    # no such tables.
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("id", "person", "state", "device", "label", "ip", "actor", "amr", "scope")}),
        (_("Times"), {"fields": ("created_at", "rotated_at", "idle_expires_at", "expires_at", "revoked_at")}),
        (_("Refreshes"), {"classes": ("collapse",), "fields": ("generation", "recoveries", "kept_until")}),
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("person", "state")
    actions: tuple[str, ...] = ("end_sessions", "end_all_of_their_users")
    change_list_template: ClassVar[str] = "admin/tessera/session/change_list.html"
    change_form_template: ClassVar[str] = "admin/tessera/session/change_form.html"

    class Media:  # noqa: D106 - Django's own convention
        css: ClassVar[Any] = {"all": ("drf_tessera/admin.css",)}

    @admin.display(description=_("Login"), ordering="created_at")
    def login(self, session: Session) -> str:
        """Return the time of the login."""
        return write_moment(session.created_at)

    @admin.display(description=_("Person"), ordering="user_id")
    def person(self, session: Session) -> str:
        """Return the name of the user, as a link to the page of the user if the admin has one."""
        return _link_user(self.admin_site, session)

    @admin.display(description=_("Device"), ordering="device")
    def client(self, session: Session) -> str:
        """Return the device, and the name that the client gives it. A script has no device."""
        kind = gettext("personal access token") if session.personal else session.device
        return ", ".join(filter(None, (kind, session.label))) or "-"

    @admin.display(description=_("Address"), ordering="ip")
    def address(self, session: Session) -> str:
        """Return the address of the login."""
        return session.ip or "-"

    @admin.display(description=_("Last used"), ordering="rotated_at")
    def last_used(self, session: Session) -> str:
        """Return the time of the latest refresh, or of the login."""
        return write_moment(session.last_used_at)

    @admin.display(description=_("State"))
    def state(self, session: Session) -> str:
        """Return the state, and the reason if the session was ended."""
        return _write_state(session)

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

    def has_impersonate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may act as another person. That is a permission of its own."""
        return request.user.has_perm("tessera.impersonate")

    def get_urls(self) -> list[Any]:
        """Return the addresses of the model, and those that end sessions.

        The page that ends all sessions stands outside of a transaction (``ATOMIC_REQUESTS``), so that other
        processes hear of the end before the last row is written.
        """
        page = transaction.non_atomic_requests(self.admin_site.admin_view(self.end_all_sessions))
        wrap = self.admin_site.admin_view
        return [
            path("end-all/", page, name=END_ALL),
            path("end-of/<str:user>/", wrap(self.end_sessions_of_user), name="tessera_session_end_of"),
            path("act-as/<str:user>/", wrap(self.act_as), name="tessera_session_act_as"),
            path("<uuid:session_id>/end/", wrap(self.end_session), name="tessera_session_end"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list, with a button for those who may end all sessions."""
        allowed = {"may_end_all": self.has_end_all_permission(request)}
        with _acting(request):
            return super().changelist_view(request, {**(extra_context or {}), **allowed})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show a session, with links for those who may end it."""
        allowed = {"may_end": self.has_end_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **allowed})

    def end_session(self, request: HttpRequest, session_id: UUID) -> HttpResponse:
        """Show a question, and then end one session."""
        session = get_object_or_404(Session.objects.select_related("user"), pk=session_id)

        def end() -> str:
            ended = sessions.revoke(session_id, reason=sessions.Reason.ADMIN)
            return gettext("The session was ended.") if ended else gettext("The session had ended before.")

        where = self.client(session)
        question = gettext("This logs %(person)s out on %(device)s.") % {
            "person": session.user,
            "device": where,
        }
        return self._ask(request, gettext("End this session"), question, end)

    def end_sessions_of_user(self, request: HttpRequest, user: str) -> HttpResponse:
        """Show a question, and then end all sessions of one user."""
        found = _find_user(user)

        def end() -> str:
            ended = sessions.revoke_all(found, reason=sessions.Reason.ADMIN)
            return _say_ended(ended)

        count = sessions.live_sessions(found.pk).count()
        question = ngettext(
            "This logs %(person)s out on all devices: %(count)d session.",
            "This logs %(person)s out on all devices: %(count)d sessions.",
            count,
        ) % {"person": found, "count": count}
        return self._ask(request, gettext("End all sessions of this person"), question, end)

    @method_decorator(sensitive_variables())
    def act_as(self, request: HttpRequest, user: str) -> HttpResponse:
        """Show a question, and then start a session in which the person acts as the user.

        The page shows the tokens once. If ``PROFILE`` has cookies, the site in this browser is the user's.
        """
        if not self.has_impersonate_permission(request):
            raise PermissionDenied
        found: Any = _find_user(user)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Act as %(person)s") % {"person": found},
            "opts": self.opts,
            "minutes": ACTING_MINUTES,
        }
        request.current_app = self.admin_site.name
        response = TemplateResponse(request, "admin/tessera/session/act_as.html", context)
        if request.method == "POST":
            try:
                with _acting(request):
                    grant = sessions.impersonate(
                        cast("AbstractBaseUser", request.user),
                        found,
                        ACTING_MINUTES,
                        client=find_client(request),
                    )
            except UserInactive:
                raise PermissionDenied from None
            context["tokens"] = deliver_grant(request, response, grant)
        add_never_cache_headers(response)
        return response

    def _ask(self, request: HttpRequest, title: str, question: str, end: Callable[[], str]) -> HttpResponse:
        """Show a question. If it is answered, end the sessions and go back to the page that led here."""
        if not self.has_end_permission(request):
            raise PermissionDenied
        back = request.POST.get("back") or request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
            back = reverse("admin:tessera_session_changelist", current_app=self.admin_site.name)
        if request.method == "POST":
            with _acting(request):
                self.message_user(request, end(), messages.SUCCESS)
            return redirect(back)
        texts = {"title": title, "question": question, "back": back, "opts": self.opts}
        request.current_app = self.admin_site.name
        context = {**self.admin_site.each_context(request), **texts}
        return TemplateResponse(request, "admin/tessera/session/end.html", context)

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
            try:
                with _acting(request):
                    ended = sessions.revoke_everybody()
                self.message_user(request, _say_ended(ended), messages.SUCCESS)
            except TemporarilyUnavailable as error:
                self.message_user(request, error.detail, messages.ERROR)
            return redirect(reverse("admin:tessera_session_changelist", current_app=self.admin_site.name))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("End all sessions"),
            "opts": self.opts,
            "count": count,
            "possible": possible,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/tessera/session/end_all.html", context)

    @admin.action(
        description=_("End all sessions of the users of the selected sessions"), permissions=["end"]
    )
    def end_all_of_their_users(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End all sessions of these users, and show how many there were."""
        users = set(queryset.values_list("user_id", flat=True))
        ended = sessions.revoke_all_of(users, reason=sessions.Reason.ADMIN)
        self.message_user(request, _say_ended(ended), messages.SUCCESS)

    @admin.action(description=_("End the selected sessions"), permissions=["end"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the sessions, and show how many of them were still live."""
        ended = sum(
            sessions.revoke(key, reason=sessions.Reason.ADMIN)
            for key in queryset.values_list("pk", flat=True)
        )
        self.message_user(request, _say_ended(ended), messages.SUCCESS)


class _SessionsOfUser(BaseInlineFormSet):  # type: ignore[type-arg]  # Django's own takes no type argument
    """The sessions of one user. Nothing is edited, so the formset has no forms."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "queryset": Session.objects.none()})

    @property
    def rows(self) -> list[tuple[Session, str, bool]]:
        """The newest sessions, each with its state in words, and whether it is live."""
        found = Session.objects.filter(user_id=self.instance.pk).order_by("-created_at", "pk")
        now = timezone.now()
        return [(row, _write_state(row), name_state(row, now) == "live") for row in found[:MOST_SHOWN]]


class SessionInline(_Inline):
    """The newest sessions of a user on the page of the user, with links that end one or all of them."""

    model = Session
    formset: Any = _SessionsOfUser
    template = "admin/tessera/session/of_user.html"
    fields: ClassVar[tuple[str, ...]] = ()
    extra = 0
    max_num: int = 0
    can_delete = False

    class Media:  # noqa: D106 - Django's own convention
        css: ClassVar[Any] = {"all": ("drf_tessera/admin.css",)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return ``False``, because only a login creates a session."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return ``False``, because nobody may edit a session."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return ``False``, because a session is ended and not deleted."""
        return False

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the formset, which knows whether the person may end sessions and act as the user."""
        formset = super().get_formset(request, obj, **kwargs)
        formset.may_act = request.user.has_perm("tessera.impersonate")  # type: ignore[attr-defined]
        formset.may_end = request.user.has_perm("tessera.delete_session")  # type: ignore[attr-defined]
        return formset


def _acting(request: HttpRequest) -> AbstractContextManager[None]:
    """Remember for the audit trail who ends the sessions of others, and from where."""
    return sessions.acting_for(partial(find_client, request), actor=write_sub(request.user.pk))


def _find_user(text: str) -> Any:
    """Return the user that an address names."""
    try:
        return get_object_or_404(get_user_model()._base_manager, pk=parse_sub(text))
    except UserGone:
        raise Http404 from None


def _say_ended(count: int) -> str:
    text = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", count)
    return text % {"count": count}


def _write_state(session: Session) -> str:
    state = name_state(session, timezone.now())
    reason = f": {_describe_reason(session.revoked_for)}" if state == "ended" and session.revoked_for else ""
    return format_html('<span class="tessera-{}">{}{}</span>', state, STATES[state], reason)


def _link_user(site: admin.AdminSite, session: Session) -> str:
    options = get_user_model()._meta
    if not site.is_registered(get_user_model()):
        return str(session.user)
    name = f"admin:{options.app_label}_{options.model_name}_change"
    page = reverse(name, args=[session.user_id], current_app=site.name)
    return format_html('<a href="{}">{}</a>', page, session.user)
