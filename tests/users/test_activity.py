"""Active users: decided by a column, by code of the user model, or by a manager that hides people."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group, UserManager
from django.db import models

from drf_tessera import receivers, sessions
from drf_tessera.exceptions import SessionRevoked, UserGone, UserInactive
from drf_tessera.models import Session, active_users, columns_tell_who_is_active, has_plain_manager
from drf_tessera.sessions import owners
from drf_tessera.users import is_active
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
User = get_user_model()


@pytest.fixture
def _by_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a user whose last name is "gone" may not log in."""
    asked = property(lambda self: self.last_name != "gone", lambda self, value: None)
    monkeypatch.setattr(User, "is_active", asked)


@pytest.fixture
def _by_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the manager hides such a user."""
    whole = UserManager.get_queryset
    shown = {"get_queryset": lambda self: whole(self).exclude(last_name="gone")}
    monkeypatch.setattr(UserManager, "get_queryset", shown["get_queryset"])


KINDS = ["_by_code", "_by_manager"]


def test_columns_tell_it_of_djangos_own_model() -> None:
    assert columns_tell_who_is_active()
    assert has_plain_manager(User)


@pytest.mark.parametrize(
    "value",
    [property(lambda self: True), lambda self: True, False, models.CharField()],
    ids=["a property", "a method", "a constant", "a column of texts"],
)
def test_columns_do_not_tell_it_of_others(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "is_active", value)
    assert not columns_tell_who_is_active()


@pytest.mark.parametrize("name", ["_fetch_all", "__init__", "filter", "get"])
def test_a_queryset_that_selects_by_its_own_code_is_not_plain(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = type("Own", (models.QuerySet,), {name: lambda self, *args, **kwargs: None})
    monkeypatch.setattr(User._default_manager, "_queryset_class", own)
    assert not has_plain_manager(User)
    harmless = type("Own", (models.QuerySet,), {"adults": lambda self: self})
    monkeypatch.setattr(User._default_manager, "_queryset_class", harmless)
    assert has_plain_manager(User)


def test_a_manager_of_an_unknown_queryset_is_not_plain() -> None:
    """Django may rename its private attribute. Then each user is loaded, which is always right."""
    manager = SimpleNamespace(get_queryset=User._default_manager.get_queryset)
    assert not has_plain_manager(SimpleNamespace(_default_manager=manager))


def test_a_method_is_called(monkeypatch: pytest.MonkeyPatch, anna: AbstractBaseUser) -> None:
    monkeypatch.setattr(User, "is_active", lambda self: self.last_name != "gone")
    here, gone = User(), User(last_name="gone")
    for user in (here, gone):
        vars(user).pop("is_active")  # the constructor sets the column's value
    assert is_active(here)
    assert not is_active(gone)
    assert is_active(object())  # as in Django's own backend


@pytest.mark.parametrize("kind", KINDS)
def test_a_save_ends_the_sessions(kind: str, request: Any, anna: Any) -> None:
    request.getfixturevalue(kind)
    grant = sessions.start(anna)
    anna.save()
    anna.save(update_fields=["last_login"])
    assert Session.objects.get().revoked_at is None
    anna.last_name = "gone"
    anna.save_base(raw=True)  # a fixture that is loaded
    assert Session.objects.get().revoked_at is None
    models.QuerySet(User).update(last_name="")
    anna.save(update_fields=["last_name"])
    assert Session.objects.get().revoked_for == "user_inactive"
    with pytest.raises(SessionRevoked):
        sessions.refresh(str(grant.refresh))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("claims", [None, lambda user, session: {"name": user.last_name}])
def test_an_update_is_noticed_at_the_next_refresh(
    kind: str, request: Any, anna: Any, settings: Any, claims: Any
) -> None:
    request.getfixturevalue(kind)
    settings.TESSERA = {"CLAIMS": claims, "REFRESH_GRACE": 0}
    refresh = sessions.refresh(str(sessions.start(anna).refresh)).refresh
    models.QuerySet(User).update(last_name="gone")
    with pytest.raises(UserInactive):
        sessions.refresh(str(refresh))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "_autocommit",
    [
        pytest.param(True, marks=pytest.mark.django_db(transaction=True)),
        pytest.param(False, marks=pytest.mark.django_db),
    ],
)
def test_a_change_during_the_login_starts_no_session(kind: str, request: Any, _autocommit: bool) -> None:
    request.getfixturevalue(kind)
    anna = make_user("anna")
    models.QuerySet(User).update(last_name="gone")
    with pytest.raises((UserGone, UserInactive)):
        sessions.start(anna)  # it was loaded before
    assert not Session.objects.exists()


def test_a_manager_that_groups_can_be_locked(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses to lock the rows of a statement that groups or removes duplicates."""
    whole = UserManager.get_queryset
    counted = {"get_queryset": lambda self: whole(self).annotate(n=models.Count("groups")).distinct()}
    monkeypatch.setattr(UserManager, "get_queryset", counted["get_queryset"])
    assert list(active_users()) == [anna]
    assert sessions.start(anna)
    assert owners.select_unchanged(anna).select_for_update().first() == anna


def test_a_row_is_found_through_another_class_of_the_family(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with multi-table inheritance; tests/people has real ones."""
    assert receivers._find_key(anna, "default") == anna.pk
    monkeypatch.setattr(receivers, "_find_owners", lambda: {Group})
    assert receivers._find_key(Group(pk=anna.pk), "default") == anna.pk
    assert receivers._find_key(Group(pk=0), "default") is None


def test_a_parent_that_is_nobodys_row_ends_nothing(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(anna)
    stranger = User(pk=0)
    monkeypatch.setattr(receivers, "_find_key", lambda instance, using: None)
    vars(stranger)[receivers._VERDICT] = sessions.Reason.PASSWORD_CHANGED
    receivers.end_after_save(instance=stranger, using="default")
    assert Session.objects.get().revoked_at is None


@pytest.mark.parametrize("broken", [False, True])
def test_a_manager_that_shows_nobody_here_logs_nobody_out(
    anna: Any, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """As one that selects by tenant does in a shell, where there is no tenant."""
    sessions.start(anna)
    whole = UserManager.get_queryset

    def select(self: Any) -> Any:
        if broken:
            raise RuntimeError("no tenant")
        return whole(self).none()

    monkeypatch.setattr(UserManager, "get_queryset", select)
    anna.last_name = "Smith"
    anna.save()
    assert Session.objects.get().revoked_at is None


# -- Many at once ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_many_users_are_deleted_with_few_statements(django_assert_max_num_queries: Any) -> None:
    users = [make_user(f"u{number}") for number in range(30)]
    for user in users:
        sessions.start(user)
    chosen = User._default_manager.filter(username__startswith="u")
    with django_assert_max_num_queries(20):
        chosen.delete()
    assert not Session.objects.exists()
    assert receivers._ENDED in vars(chosen)
    assert vars(chosen)[receivers._ENDED] == set()  # so that it may delete again


def test_the_sessions_of_many_users_are_ended_at_once(
    anna: AbstractBaseUser, bob: AbstractBaseUser, django_assert_max_num_queries: Any
) -> None:
    kept = sessions.start(anna)
    for user in (anna, bob, bob):
        sessions.start(user)
    with django_assert_max_num_queries(6):
        assert sessions.revoke_all_of([anna.pk, bob.pk], keep=kept.session_id) == 3
    assert Session.objects.filter(revoked_at=None).get().pk == kept.session_id
    assert sessions.revoke_all_of([]) == 0
