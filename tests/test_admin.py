from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.admin import REASONS, SessionInline
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.models import Revocation, Session, SessionQuerySet
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/tessera/session/"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(
        make_user("root", is_staff=True, is_superuser=True), "drf_tessera.backends.EmailBackend"
    )
    return client


def test_lists_and_shows_sessions_without_their_secret(admin: Client, anna: User) -> None:
    grant = sessions.start(anna)
    row = Session.objects.get()
    pages = [admin.get(LIST), admin.get(f"{LIST}{row.pk}/change/"), admin.get(f"{LIST}?q={row.pk}")]
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        assert str(row.pk) in text
        assert "secret" not in text.lower()
        assert bytes(row.secret_hash).hex() not in text
    assert str(row) == str(grant.session_id)


def test_nothing_can_be_added_changed_or_deleted(admin: Client, anna: User) -> None:
    sessions.start(anna)
    row = Session.objects.get()
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{row.pk}/change/", {}).status_code == 403
    assert admin.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Session.objects.count() == 1


def test_a_user_can_be_deleted_together_with_the_sessions(admin: Client, anna: User) -> None:
    grant = sessions.start(anna)
    page = admin.get(f"/admin/auth/user/{anna.pk}/delete/").content.decode()
    assert str(grant.session_id) in page
    assert "account doesn" not in page
    assert admin.post(f"/admin/auth/user/{anna.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=anna.pk).exists()
    assert Revocation.objects.get().session_id == grant.session_id


def test_ends_sessions_and_shows_their_number(admin: Client, anna: User) -> None:
    ended, live = sessions.start(anna), sessions.start(anna)
    sessions.revoke(ended.session_id)
    chosen = [str(ended.session_id), str(live.session_id)]
    answer = admin.post(LIST, {"action": "end_sessions", "_selected_action": chosen}, follow=True)
    assert "1 session was ended." in answer.content.decode()
    assert Session.objects.get(pk=live.session_id).revoked_for == "admin"


def test_a_permission_to_view_does_not_allow_to_end_sessions(client: Client, anna: User) -> None:
    viewer: Any = make_user("viewer", is_staff=True)
    viewer.user_permissions.add(
        Permission.objects.get(codename="view_session", content_type__app_label="tessera")
    )
    client.force_login(viewer, "drf_tessera.backends.EmailBackend")
    grant = sessions.start(anna)
    client.post(LIST, {"action": "end_sessions", "_selected_action": [str(grant.session_id)]})
    assert Session.objects.get().revoked_at is None


@pytest.mark.parametrize("term", ["anna", "ANNA@example", "Anna@Example.com", "127.0.0.1", "tablet"])
def test_a_person_s_sessions_are_found_by_name_and_address(admin: Client, anna: User, term: str) -> None:
    grant = sessions.start(anna, client=sessions.Client(ip="127.0.0.1", label="tablet"))
    sessions.start(make_user("bob"))
    page = admin.get(LIST, {"q": term})
    assert [row.pk for row in page.context["cl"].result_list] == [grant.session_id]


@pytest.mark.parametrize(
    "term", ["\U0001f4f1", "\u0661", "%", "'", '"', "a b", "x" * 300, "\u0130", "x " * 900]
)
def test_no_search_is_a_500(admin: Client, anna: User, term: str) -> None:
    sessions.start(anna)
    found = admin.get(LIST, {"q": term}).context["cl"].result_count
    assert found == (term in {"'", '"'})  # a single quote mark is not a word, so it selects nothing


def test_letters_that_a_column_cannot_read_find_nobody(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(anna)

    def fail(self: object) -> bool:
        raise OperationalError(1267, "Illegal mix of collations")

    monkeypatch.setattr(SessionQuerySet, "exists", fail)
    assert admin.get(LIST, {"q": "\U0001f4f1"}).context["cl"].result_count == 0
    assert admin.get(LIST, {"q": "anna"}).context["cl"].result_count == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("username", {"user__username", "user__email"}),
        ("id", {"user__id", "user__email"}),
        ("nothing", {"user__email"}),
    ],
)
def test_the_columns_of_the_user_model_are_searched(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: set[str]
) -> None:
    monkeypatch.setattr(User, "USERNAME_FIELD", name)
    own: Any = site.get_model_admin(Session)
    assert set(own.get_search_fields(None)) - {"=id", "ip", "label", "device"} == expected


def test_a_related_row_is_searched_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a foreign key for a user name; here another foreign key stands for it."""
    own: Any = site.get_model_admin(Session)
    monkeypatch.setattr("drf_tessera.admin.get_user_model", lambda: Related)
    monkeypatch.setattr("drf_tessera.admin.find_email_field", lambda: None)
    assert own.get_search_fields(None)[-1] == "user__user__id"


class Related:
    USERNAME_FIELD = "user"
    _meta = Session._meta


# -- The list and the pages ------------------------------------------------------------------------

STATES = {
    "live": "Live",
    "idle": "Idle for too long",
    "expired": "Expired",
    "ended": "Ended: logged out",
}


@pytest.fixture
def in_each_state(anna: User) -> dict[str, Session]:
    now = timezone.now()
    rows = {}
    for number, state in enumerate(STATES):
        grant = sessions.start(anna, client=sessions.Client(ip="192.0.2.7", label=state))
        Session.objects.filter(pk=grant.session_id).update(created_at=now + timedelta(seconds=number))
        rows[state] = grant.session_id
    Session.objects.filter(pk=rows["idle"]).update(idle_expires_at=now)
    Session.objects.filter(pk=rows["expired"]).update(idle_expires_at=now, expires_at=now)
    sessions.revoke(rows["ended"])
    return {state: Session.objects.get(pk=key) for state, key in rows.items()}


def test_the_newest_login_comes_first(admin: Client, in_each_state: dict[str, Session]) -> None:
    page = admin.get(LIST)
    found = [row.label for row in page.context["cl"].result_list]
    assert found == ["ended", "expired", "idle", "live"]
    text = page.content.decode()
    owner = in_each_state["live"].user_id
    for words in (*STATES.values(), "192.0.2.7", f'href="/admin/auth/user/{owner}/'):
        assert words in text


@pytest.mark.parametrize("state", STATES)
def test_a_filter_shows_the_sessions_of_a_state(
    admin: Client, in_each_state: dict[str, Session], state: str
) -> None:
    page = admin.get(LIST, {"state": state})
    assert [row.label for row in page.context["cl"].result_list] == [state]


def test_a_filter_shows_the_sessions_that_ended_for_a_reason(
    admin: Client, in_each_state: dict[str, Session]
) -> None:
    assert admin.get(LIST, {"reason": "logout"}).context["cl"].result_count == 1
    assert admin.get(LIST, {"reason": "admin"}).context["cl"].result_count == 0


def test_each_reason_has_words() -> None:
    assert set(REASONS) == set(sessions.Reason)


def test_the_number_of_queries_does_not_grow_with_the_list(admin: Client, anna: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            admin.get(LIST)
        return len(found)

    sessions.start(anna)
    before = count()
    sessions.start(anna)
    sessions.start(make_user("bob"))
    assert count() == before


@pytest.mark.slow
def test_a_page_of_a_session_ends_it_after_a_question(admin: Client, anna: User) -> None:
    grant, other = sessions.start(anna), sessions.start(anna)
    page = f"{LIST}{grant.session_id}/change/"
    end = f"{LIST}{grant.session_id}/end/"
    assert f'href="{end}"' in admin.get(page).content.decode()
    question = admin.get(end, headers={"Referer": f"http://testserver{page}"})
    assert "anna" in question.content.decode()
    assert sessions.live_sessions(anna.pk).count() == 2
    answer = admin.post(end, {"back": question.context["back"]}, follow=True)
    assert answer.redirect_chain == [(f"http://testserver{page}", 302)]
    assert "The session was ended." in answer.content.decode()
    assert "Ended: by an administrator" in answer.content.decode()
    assert sessions.live_sessions(anna.pk).get().pk == other.session_id
    assert "had ended before" in admin.post(end, follow=True).content.decode()


def test_a_page_of_a_session_ends_all_of_its_person(admin: Client, anna: User) -> None:
    grant, _, other = sessions.start(anna), sessions.start(anna), sessions.start(make_user("bob"))
    end = f"{LIST}end-of/{anna.pk}/"
    assert f'href="{end}"' in admin.get(f"{LIST}{grant.session_id}/change/").content.decode()
    assert "2 sessions" in admin.get(end).content.decode()
    answer = admin.post(end, follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert Session.objects.get(revoked_at=None).pk == other.session_id


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_no_other_site_is_gone_back_to(admin: Client, anna: User, where: str) -> None:
    end = f"{LIST}{sessions.start(anna).session_id}/end/"
    assert admin.get(end, headers={"Referer": where}).context["back"] == LIST
    assert admin.post(end, {"back": where}).headers["Location"] == LIST


@pytest.mark.parametrize("user", ["999999", "x", "\u0661" * 40])
def test_nobody_else_is_a_404(admin: Client, user: str) -> None:
    assert admin.get(f"{LIST}end-of/{user}/").status_code == 404
    assert admin.get(f"{LIST}{uuid4()}/end/").status_code == 404


@pytest.mark.slow
def test_a_permission_to_view_shows_no_way_to_end_a_session(
    client: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer: Any = make_user("viewer", is_staff=True)
    for name in ("view_session", "view_user"):
        viewer.user_permissions.add(
            Permission.objects.get(codename=name, content_type__app_label__in=["auth", "tessera"])
        )
    client.force_login(viewer, "drf_tessera.backends.EmailBackend")
    monkeypatch.setattr(site.get_model_admin(User), "inlines", [SessionInline])
    key = sessions.start(anna).session_id
    for page in (LIST, f"{LIST}{key}/change/", f"/admin/auth/user/{anna.pk}/change/"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert "/end" not in answer.content.decode()
    for end in (f"{LIST}{key}/end/", f"{LIST}end-of/{anna.pk}/"):
        assert client.get(end).status_code == 403
        assert client.post(end).status_code == 403
    assert sessions.live_sessions(anna.pk).count() == 1


@pytest.mark.slow
def test_the_page_of_a_user_has_their_sessions(
    admin: Client, in_each_state: dict[str, Session], anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(make_user("bob"), client=sessions.Client(label="of bob"))
    monkeypatch.setattr(site.get_model_admin(User), "inlines", [SessionInline])
    text = admin.get(f"/admin/auth/user/{anna.pk}/change/").content.decode()
    for words in (*STATES.values(), f"{LIST}end-of/{anna.pk}/"):
        assert words in text
    ends = [state for state, row in in_each_state.items() if f"{LIST}{row.pk}/end/" in text]
    assert ends == ["live"]
    assert "of bob" not in text


@pytest.mark.slow
def test_the_page_of_a_user_can_still_be_saved(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(anna)
    monkeypatch.setattr(site.get_model_admin(User), "inlines", [SessionInline])
    page = f"/admin/auth/user/{anna.pk}/change/"
    formset = admin.get(page).context["inline_admin_formsets"][0].formset
    data = {
        **{"username": "anna", "first_name": "Anne", "is_active": "on"},
        **{"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"},
        **{f"{formset.prefix}-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")},
    }
    answer = admin.post(page, data)
    assert answer.status_code == 302, answer.context["errors"]
    assert User.objects.get(pk=anna.pk).first_name == "Anne"
    assert sessions.live_sessions(anna.pk).count() == 1


def test_a_person_without_sessions_has_none_on_the_page(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.get_model_admin(User), "inlines", [SessionInline])
    assert "no sessions" in admin.get(f"/admin/auth/user/{anna.pk}/change/").content.decode()
    assert admin.get("/admin/auth/user/add/").status_code == 200


def test_without_an_admin_for_users_the_name_is_not_a_link(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(anna)
    monkeypatch.setattr(site, "is_registered", lambda model: False)
    text = admin.get(LIST).content.decode()
    assert "anna" in text
    assert f"/admin/auth/user/{anna.pk}/" not in text


# -- End all sessions ------------------------------------------------------------------------------

END_ALL = f"{LIST}end-all/"


def test_ends_all_sessions_of_the_users_of_the_selected_sessions(admin: Client, anna: User) -> None:
    chosen, _, other = sessions.start(anna), sessions.start(anna), sessions.start(make_user("bob"))
    data = {"action": "end_all_of_their_users", "_selected_action": [str(chosen.session_id)]}
    answer = admin.post(LIST, data, follow=True)
    assert "2 sessions were ended." in answer.content.decode()
    assert Session.objects.get(revoked_at=None).pk == other.session_id
    assert Revocation.objects.count() == 1


@pytest.mark.usefixtures("same_second")
def test_a_button_asks_and_then_ends_the_sessions_of_everybody(admin: Client, anna: User) -> None:
    for user in (anna, make_user("bob")):
        sessions.start(user)
    assert f'href="{END_ALL}"' in admin.get(LIST).content.decode()
    assert "2 sessions" in admin.get(END_ALL).content.decode()
    assert not Session.objects.exclude(revoked_at=None).exists()
    answer = admin.post(END_ALL, follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert "2 sessions were ended." in answer.content.decode()
    assert set(Session.objects.values_list("revoked_for", flat=True)) == {"admin"}
    assert Revocation.objects.count() == 1


def test_a_table_that_is_too_large_for_a_request_is_left_to_the_command(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drf_tessera.admin.MOST", 0)
    sessions.start(anna)
    for answer in (admin.get(END_ALL), admin.post(END_ALL)):
        assert "tessera_revoke --all" in answer.content.decode()
    assert Session.objects.get().revoked_at is None


@pytest.mark.usefixtures("same_second")
def test_the_end_of_all_sessions_has_a_permission_of_its_own(client: Client, anna: User) -> None:
    staff: Any = make_user("staff", is_staff=True)
    for name in ("view_session", "delete_session"):
        staff.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label="tessera"))
    client.force_login(staff, "drf_tessera.backends.EmailBackend")
    sessions.start(anna)
    assert END_ALL not in client.get(LIST).content.decode()
    for answer in (client.get(END_ALL), client.post(END_ALL)):
        assert answer.status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="end_all_sessions"))
    assert client.post(END_ALL).status_code == 302
    assert Session.objects.get().revoked_at is not None


@pytest.mark.usefixtures("same_second")
def test_a_cache_that_is_down_is_told_to_the_person_who_ends_all_sessions(
    admin: Client, anna: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RevocationUnavailable

    settings.TESSERA = {"REVOCATION_CACHE": "default"}
    monkeypatch.setattr("drf_tessera.revocation.caches.CacheStore.publish", fail)
    sessions.start(anna)
    answer = admin.post(END_ALL, follow=True)
    assert "The server cannot read or write the list of ended sessions" in answer.content.decode()
    assert Session.objects.get().revoked_at is not None


@pytest.mark.usefixtures("same_second")
def test_the_request_that_ends_all_sessions_is_not_one_transaction(
    admin: Client, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise other processes would hear of it after the last row."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    sessions.start(anna)
    assert admin.post(END_ALL).status_code == 302
    assert Session.objects.get().revoked_at is not None


def test_a_middleware_that_makes_it_one_transaction_leaves_it_to_the_command(
    admin: Client, anna: User, settings: Any
) -> None:
    settings.MIDDLEWARE = ["reversion.middleware.RevisionMiddleware", *settings.MIDDLEWARE]
    sessions.start(anna)
    assert "tessera_revoke --all" in admin.post(END_ALL).content.decode()
    assert Session.objects.get().revoked_at is None


def test_a_person_with_the_permission_acts_as_another_one(admin: Client, anna: User) -> None:
    """The page shows the tokens once, and no cache may keep it."""
    where = f"/admin/tessera/session/act-as/{anna.pk}/"
    assert b"Act as" in admin.get(where).content
    assert Session.objects.count() == 0
    answer = admin.post(where)
    row = Session.objects.get()
    root = type(anna).objects.get(is_superuser=True)
    assert (row.user_id, row.actor) == (anna.pk, str(root.pk))
    assert answer.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert answer.context["tokens"]["access"] in answer.content.decode()
    assert "tsr_" in answer.content.decode()


def test_acting_needs_its_permission_and_an_active_user(admin: Client, anna: User, bob: User) -> None:
    where = f"/admin/tessera/session/act-as/{anna.pk}/"
    type(anna).objects.filter(pk=anna.pk).update(is_active=False)
    assert admin.post(where).status_code == 403
    assert admin.post("/admin/tessera/session/act-as/x/").status_code == 404
    type(bob).objects.filter(pk=bob.pk).update(is_staff=True)
    admin.force_login(bob, "drf_tessera.backends.EmailBackend")
    assert admin.get(where).status_code == admin.post(where).status_code == 403
    assert Session.objects.count() == 0
