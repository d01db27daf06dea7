"""The lazy user: a real user without a query until a column is read."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.signals import post_delete, post_init, post_save
from django.test import Client, RequestFactory
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIClient

from drf_tessera import JWTAuthentication, sessions, users
from drf_tessera.exceptions import ClaimsHookError, Refusal, SettingsError, UserGone, UserInactive
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token
from drf_tessera.users import claims, find_user_by, find_user_by_name, find_user_fields, load_now, lookup
from drf_tessera.users import lazy as lazy_module
from tests.conftest import bearer, log_in, make_user

pytestmark = pytest.mark.django_db
User = get_user_model()


def pass_on(error: Refusal) -> Exception:
    return error


def make_lazy_user(token: Any, *, refuse: Any) -> Any:
    """Return a lazy user even if the session has ended, like a user that was created just before the end."""
    plan = lazy_module._find_plan()
    return users.load_user(token) if plan.strict else lazy_module._make_lazy_user(plan, token, refuse)


def lazy(user: AbstractBaseUser) -> Any:
    return make_lazy_user(verify_access_token(sessions.start(user).access), refuse=pass_on)


# -- Without a query -------------------------------------------------------------------------------


def test_values_that_follow_from_the_key_cost_no_query(
    anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    found, other = lazy(anna), make_user("bob")
    with django_assert_num_queries(0):
        assert found
        assert (found.pk, found.id) == (anna.pk, anna.pk)
        assert (found.is_authenticated, found.is_anonymous) == (True, False)
        assert isinstance(found, User)
        assert found.__class__ is User
        assert found == anna
        assert anna == found
        assert found != other
        assert hash(found) == hash(anna)
        assert {anna: "x"}[found] == "x"
        assert found._meta.label == "auth.User"


def test_a_key_that_breaks_a_rule_for_new_rows_is_a_key(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example a new validator. A key that the column cannot hold is still refused."""
    field: Any = User._meta.pk
    rules = [*field.validators, RegexValidator(r"^[a-z]+$")]
    monkeypatch.setitem(vars(field), "validators", rules)  # a cached property
    lookup.parse_sub_of.cache_clear()
    assert users.parse_sub(str(anna.pk)) == anna.pk
    with pytest.raises(UserGone):
        users.parse_sub("9" * 30)
    lookup.parse_sub_of.cache_clear()


def test_its_class_is_not_a_model_of_its_own() -> None:
    kind = lazy_module._make_class(User)
    assert issubclass(kind, User)
    assert not any(kind is model for model in apps.get_models())
    assert isinstance(kind._state, lazy_module._State)


def test_filters_and_foreign_keys_need_the_key_alone(
    anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    found = lazy(anna)
    with django_assert_num_queries(0):
        entries = LogEntry.objects.filter(user=found)
        str(entries.query)
        entry = LogEntry(user=found, action_flag=1, object_repr="x")
    with django_assert_num_queries(1):  # the INSERT
        entry.save()
    with django_assert_num_queries(1):  # the SELECT
        assert list(entries) == [entry]
    with django_assert_num_queries(1):  # relations of the user only need its key
        assert list(found.groups.all()) == []
    assert lazy_module._KNOWN in lazy_module.read_state(found)


def test_a_serializer_saves_it_as_an_owner_without_loading_it(
    anna: AbstractBaseUser, django_assert_num_queries: Any
) -> None:
    class EntrySerializer(serializers.ModelSerializer[LogEntry]):
        class Meta:
            model = LogEntry
            fields = ("object_repr", "action_flag")

    found = lazy(anna)
    shape = EntrySerializer(data={"object_repr": "x", "action_flag": 1})
    shape.is_valid(raise_exception=True)
    with django_assert_num_queries(1):
        entry = shape.save(user=found)
    assert entry.user_id == anna.pk


# -- The first read of a column --------------------------------------------------------------------


def test_the_first_column_loads_the_row_once(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    found = lazy(anna)
    with django_assert_num_queries(1):
        assert found.username == "anna"
        assert found.email == "anna@example.com"
        assert found.get_full_name() == "Anna"
        assert found.date_joined == anna.date_joined  # type: ignore[attr-defined]
    assert type(found) is User
    assert lazy_module._REFUSE not in vars(found)
    assert lazy_module._KNOWN not in vars(found)


def test_methods_see_a_user(anna: AbstractBaseUser) -> None:
    assert str(lazy(anna)) == "anna"
    assert repr(lazy(anna)) == f"<User: {anna.pk} (not loaded)>"
    found = lazy(anna)
    assert (str(found), repr(found)) == ("anna", "<User: anna>")
    assert lazy(anna).check_password("wrong") is False


def test_a_user_that_is_gone_is_refused(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    User.objects.all().delete()
    with pytest.raises(UserGone):
        found.email  # noqa: B018 - the access is the test
    assert isinstance(found, AnonymousUser)
    assert not found.is_authenticated
    assert (found.pk, vars(found)) == (None, {})


def test_an_inactive_user_is_refused(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    User.objects.update(is_active=False)
    with pytest.raises(UserInactive):
        found.is_staff  # noqa: B018 - the access is the test


def test_an_attribute_that_was_assigned_before_stays(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    found.first_name = "Änne"
    assert found.email == "anna@example.com"
    assert found.first_name == "Änne"


def test_a_refresh_gives_what_the_row_has(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    found = lazy(anna)
    found.first_name, found.last_name = "Änne", "Assigned"
    with django_assert_num_queries(2):  # the row, and the query of the project
        found.refresh_from_db()
        assert (found.first_name, found.last_name) == ("Anna", "")
    found = lazy(anna)
    found.first_name, found.last_name = "Änne", "Assigned"
    found.refresh_from_db(fields=["first_name"])
    assert (found.first_name, found.last_name) == ("Anna", "Assigned")
    found = lazy(anna)
    found.refresh_from_db(using="default", from_queryset=User.objects.all())
    assert found.first_name == "Anna"


@pytest.mark.parametrize("update_fields", [None, ["first_name"]])
def test_saving_loads_first(anna: AbstractBaseUser, update_fields: list[str] | None) -> None:
    found = lazy(anna)
    found.first_name = "Änne"
    User.objects.update(last_name="Meanwhile")
    found.save(update_fields=update_fields)
    anna.refresh_from_db()
    assert (anna.first_name, anna.last_name) == ("Änne", "Meanwhile")  # type: ignore[attr-defined]


def test_a_new_password_ends_the_sessions(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    found.set_password("another")
    found.save()
    assert sessions.live_sessions(anna.pk).count() == 0


def test_signals_name_the_model(anna: AbstractBaseUser) -> None:
    heard = []

    def hear(sender: type, **kwargs: Any) -> None:
        heard.append(sender)

    post_save.connect(hear, sender=User)
    lazy(anna).save()
    assert heard == [User]


def test_deleting_it_deletes_the_row(anna: AbstractBaseUser) -> None:
    lazy(anna).delete()
    assert not User.objects.exists()


def test_receivers_of_a_deletion_can_still_read_the_user(anna: AbstractBaseUser) -> None:
    """For example receivers that delete a user's files."""
    heard = []

    def hear(instance: Any, **kwargs: Any) -> None:
        heard.append(instance.email)

    post_delete.connect(hear, sender=User)
    try:
        found = lazy(anna)
        found.delete()
        assert found.first_name == "Anna"
    finally:
        post_delete.disconnect(hear, sender=User)
    assert heard == ["anna@example.com"]


def test_a_key_that_is_assigned_loads_nobody_else(anna: AbstractBaseUser) -> None:
    other = make_user("bob")
    found = lazy(anna)
    found.pk = other.pk
    assert found.email == "anna@example.com"


def test_a_manager_that_leaves_columns_out_is_asked_for_all(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = type(User._default_manager)
    whole = manager.get_queryset
    monkeypatch.setattr(manager, "get_queryset", lambda self: whole(self).defer("first_name"))
    assert lazy(anna).first_name == "Anna"


def test_a_refresh_forgets_relations_that_are_cached(anna: AbstractBaseUser) -> None:
    group = Group.objects.create(name="editors")
    for how in ({}, {"fields": ["groups"]}):
        found = lazy(anna)
        models.prefetch_related_objects([found], "groups")
        found.groups.through.objects.get_or_create(user_id=found.pk, group=group)
        found.refresh_from_db(**how)
        assert list(found.groups.all()) == [group]


def test_adding_to_its_groups(anna: AbstractBaseUser) -> None:
    group = Group.objects.create(name="editors")
    found = lazy(anna)
    found.groups.add(group)
    assert list(group.user_set.all()) == [anna]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda user: pickle.loads(pickle.dumps(user))])  # noqa: S301
@pytest.mark.parametrize("loaded", [False, True])
def test_copies_are_as_lazy_as_the_original(
    anna: AbstractBaseUser, django_assert_num_queries: Any, clone: Any, loaded: bool
) -> None:
    found = lazy(anna)
    if loaded:
        assert found.email
    twin = clone(found)
    with django_assert_num_queries(0 if loaded else 1):
        assert (twin.email, twin.first_name) == ("anna@example.com", "Anna")
    assert twin == found
    if not loaded:
        assert lazy_module._KNOWN in lazy_module.read_state(found)


@pytest.fixture
def listener() -> Iterator[list[Any]]:
    made: list[Any] = []

    def hear(instance: Any, **kwargs: Any) -> None:
        made.append(instance)

    post_init.connect(hear, sender=User, weak=False, dispatch_uid="listener")
    lazy_module._find_plan.forget()
    yield made
    post_init.disconnect(sender=User, dispatch_uid="listener")
    lazy_module._find_plan.forget()


def test_a_receiver_of_constructions_hears_of_the_row(
    anna: AbstractBaseUser, listener: list[Any], django_assert_num_queries: Any
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    with django_assert_num_queries(1):
        found: Any = make_lazy_user(token, refuse=pass_on)
    assert listener[-1] is found
    with django_assert_num_queries(0):
        assert (found.pk, found.first_name) == (anna.pk, "Anna")


def test_a_constructor_that_looks_loads_the_row(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.TESSERA = {"USER_FIELDS": ["first_name"]}
    token = verify_access_token(sessions.start(anna).access)

    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        models.Model.__init__(self, *args, **kwargs)
        self.name_at_first = self.username

    monkeypatch.setattr(User, "__init__", construct)
    lazy_module._find_plan.forget()
    with django_assert_num_queries(1):
        found: Any = make_lazy_user(token, refuse=pass_on)
        assert (found.name_at_first, found.email) == ("anna", "anna@example.com")
    LogEntry.objects.create(user=found, action_flag=1, object_repr="x")
    found.first_name = "Änne"
    found.save()
    assert pickle.loads(pickle.dumps(found)) == anna  # noqa: S301
    lazy_module._find_plan.forget()


# -- In a request ----------------------------------------------------------------------------------


def test_a_user_that_is_gone_is_a_401_from_inside_the_view(api: APIClient, anna: AbstractBaseUser) -> None:
    access = log_in(api, anna)["access"]
    Session.objects.all().delete()
    User.objects.filter(pk=anna.pk)._raw_delete("default")
    answer = api.get("/name/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (401, "user_gone")
    assert 'error_description="The user of this token does not exist."' in answer["WWW-Authenticate"]


def test_a_user_that_is_gone_when_a_middleware_reads_it_is_a_400(
    client: Client, anna: AbstractBaseUser, settings: Any
) -> None:
    """Outside of REST framework, Django converts the error to a 400."""
    settings.MIDDLEWARE = ["tests.views.note_user", *settings.MIDDLEWARE]
    access = sessions.start(anna).access
    assert client.get("/me/", **bearer(access))["X-User"] == "anna"
    User.objects.update(is_active=False)
    assert client.get("/me/", **bearer(access)).status_code == 400


def authenticate(access: str) -> Any:
    request = Request(RequestFactory().get("/", **bearer(access)))
    found = JWTAuthentication().authenticate(request)
    assert found is not None
    return found[0], request


@pytest.mark.slow
def test_a_copy_that_outlives_its_request_still_refuses(anna: AbstractBaseUser) -> None:
    found, request = authenticate(sessions.start(anna).access)
    twin = pickle.loads(pickle.dumps(found))  # noqa: S301
    del request
    gc.collect()  # REST framework's request is part of a cycle
    User.objects.update(is_active=False)
    for user in (twin, found):
        with pytest.raises(AuthenticationFailed) as caught:
            user.email  # noqa: B018 - the access is the test
        assert caught.value.detail["code"] == "user_inactive"  # type: ignore[call-overload,index]


# -- Columns in the token --------------------------------------------------------------------------

FIELDS = ["username", "last_name", "date_joined"]


def test_columns_in_the_token_need_no_query(
    anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.TESSERA = {"USER_FIELDS": FIELDS}
    found = lazy(anna)
    with django_assert_num_queries(0):
        assert (found.username, found.last_name) == ("anna", "")
        assert found.date_joined == anna.date_joined  # type: ignore[attr-defined]
    with django_assert_num_queries(1):
        assert found.email == "anna@example.com"


def test_they_are_as_old_as_the_token_until_the_row_is_loaded(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"USER_FIELDS": FIELDS}
    found = lazy(anna)
    User.objects.update(last_name="Smith")
    assert found.last_name == ""
    assert found.first_name == "Anna"
    assert found.last_name == "Smith"


def test_saving_never_writes_what_the_token_says(anna: AbstractBaseUser, settings: Any) -> None:
    """Otherwise a user could undo what somebody else has changed."""
    User.objects.update(last_name="Smith")
    anna.refresh_from_db()
    settings.TESSERA = {"USER_FIELDS": FIELDS}
    found = lazy(anna)
    User.objects.update(last_name="Jones")
    found.first_name = "Änne"
    found.save()
    anna.refresh_from_db()
    assert (anna.last_name, anna.first_name) == ("Jones", "Änne")  # type: ignore[attr-defined]


def test_an_assigned_value_counts_although_the_token_has_the_same(
    anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"USER_FIELDS": ["last_name"]}
    User.objects.update(last_name="Smith")
    anna.refresh_from_db()
    found = lazy(anna)
    User.objects.update(last_name="Jones")
    found.last_name = "Smith"
    found.save()
    anna.refresh_from_db()
    assert anna.last_name == "Smith"  # type: ignore[attr-defined]


def test_a_refresh_writes_them_again(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"USER_FIELDS": FIELDS}
    grant = sessions.start(anna)
    User.objects.update(last_name="Smith", date_joined=datetime(2020, 1, 1, tzinfo=UTC))
    renewed = verify_access_token(sessions.refresh(str(grant.refresh)).access)
    assert renewed["user"] == {
        "username": "anna",
        "last_name": "Smith",
        "date_joined": "2020-01-01T00:00:00+00:00",
    }


def test_a_token_from_before_the_setting_changed_leaves_the_rest_to_the_row(
    anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.TESSERA = {"USER_FIELDS": ["username"]}
    token = verify_access_token(sessions.start(anna).access)
    settings.TESSERA = {"USER_FIELDS": ["username", "email"]}
    found: Any = make_lazy_user(token, refuse=pass_on)
    with django_assert_num_queries(1):
        assert (found.username, found.email) == ("anna", "anna@example.com")


def test_a_column_that_cannot_be_read_is_left_to_the_row(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"USER_FIELDS": ["date_joined"]}
    token = verify_access_token(sessions.start(anna).access)
    damaged = replace(token, claims={**token.claims, "user": {"date_joined": "yesterday"}})
    found: Any = make_lazy_user(damaged, refuse=pass_on)
    assert found.date_joined == anna.date_joined  # type: ignore[attr-defined]
    damaged = replace(token, claims={**token.claims, "user": "anna"})
    found = make_lazy_user(damaged, refuse=pass_on)
    assert found.date_joined == anna.date_joined  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    ["password", "groups", "id", "nothing", "logentry", "is_active", "is_staff", "is_superuser"],
)
def test_a_column_that_no_token_may_carry_is_refused(settings: Any, name: str) -> None:
    settings.TESSERA = {"USER_FIELDS": [name]}
    with pytest.raises(SettingsError):
        find_user_fields()


@pytest.mark.parametrize("field", [models.JSONField(), models.FileField(), models.BinaryField()])
def test_a_value_that_can_change_without_an_assignment_is_not_carried(
    settings: Any, monkeypatch: pytest.MonkeyPatch, field: Any
) -> None:
    settings.TESSERA = {"USER_FIELDS": ["email"]}
    claims._find_fields.cache_clear()
    field.set_attributes_from_name("email")
    monkeypatch.setattr(User._meta, "get_field", lambda name: field)
    with pytest.raises(SettingsError, match="cannot carry"):
        find_user_fields()


def test_the_hook_cannot_speak_for_the_columns(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": lambda user, session: {"user": {"is_staff": True}}}
    with pytest.raises(ClaimsHookError, match="belongs to USER_FIELDS"):
        sessions.start(anna)


def test_columns_of_other_types_are_written_as_their_fields_read_them() -> None:
    assert claims._write(None) is None
    assert claims._write(datetime(2020, 1, 1, tzinfo=UTC)) == "2020-01-01T00:00:00+00:00"
    for field, text in (
        (models.DecimalField(), "1.50"),
        (models.UUIDField(), "0" * 8 + "-0000" * 3 + "-" + "0" * 12),
    ):
        value = field.to_python(text)
        assert field.to_python(claims._write(value)) == value


# -- With an id that is not a `sub` of drf-tessera -------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, "", "anna\0", "four", 2**70, -1, 1.5, float("nan"), [1], {"pk": 1}, b"1", "9" * 5000]
)
@pytest.mark.parametrize("field", ["pk", "username"])
def test_nobody_is_found_by_what_no_id_can_be(anna: AbstractBaseUser, field: str, value: object) -> None:
    assert find_user_by(field, value) is None


@pytest.mark.parametrize("name", [None, 5, "", "anna\0", "\ud800", ["anna"]])
def test_nobody_is_found_by_what_no_name_can_be(anna: AbstractBaseUser, name: object) -> None:
    assert find_user_by_name(name) is None
    assert find_user_by_name("anna") == anna


class Numbers:
    """A user model with a number as its user name."""

    DoesNotExist = User.DoesNotExist

    class _default_manager:  # noqa: N801 - the name in Django
        @staticmethod
        def get_by_natural_key(name: object) -> Any:
            if name in (True, 4711):
                return User(username="4711")
            raise OverflowError


def test_a_name_may_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "get_user_model", lambda: Numbers)
    assert find_user_by_name(4711)
    for other in (True, 10**30, 4711.0):
        assert find_user_by_name(other) is None


def test_somebody_is_found_by_any_column(anna: AbstractBaseUser) -> None:
    assert find_user_by("pk", anna.pk) == find_user_by("username", "anna") == anna


def test_a_foreign_descriptor_is_set_and_deleted_on_a_loaded_user(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        looks = 1

    loaded: list[Any] = []
    monkeypatch.setattr(lazy_module, "_load", loaded.append)

    class Lazy(Plain):
        own = lazy_module._Loading("looks")

    user = Lazy()
    user.own = 2
    assert (loaded, user.looks) == ([user], 2)
    del user.own
    assert (loaded, user.looks) == ([user, user], 1)


def test_a_loaded_user_is_not_loaded_again(
    anna: AbstractBaseUser, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(0):
        load_now(anna)
