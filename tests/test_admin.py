from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client

from drf_tessera import sessions
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
    assert "1 sessions were ended." in answer.content.decode()
    assert Session.objects.get(pk=live.session_id).revoked_for == "admin"


def test_a_permission_to_view_does_not_allow_to_end_sessions(client: Client, anna: User) -> None:
    from django.contrib.auth.models import Permission

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


# -- End all sessions ------------------------------------------------------------------------------

END_ALL = f"{LIST}end-all/"


def test_ends_all_sessions_of_the_users_of_the_selected_sessions(admin: Client, anna: User) -> None:
    chosen, _, other = sessions.start(anna), sessions.start(anna), sessions.start(make_user("bob"))
    data = {"action": "end_all_of_their_users", "_selected_action": [str(chosen.session_id)]}
    answer = admin.post(LIST, data, follow=True)
    assert "2 sessions were ended." in answer.content.decode()
    assert Session.objects.get(revoked_at=None).pk == other.session_id
    assert Revocation.objects.count() == 1


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


def test_the_end_of_all_sessions_has_a_permission_of_its_own(client: Client, anna: User) -> None:
    from django.contrib.auth.models import Permission

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
