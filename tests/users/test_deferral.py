"""User models whose rows can wait, those whose rows cannot, and a lazy user at every look."""

from __future__ import annotations

import copy
import functools
import operator
import pickle
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, UserManager
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, models
from django.db.models.base import ModelBase
from django.db.models.signals import post_init, pre_init

from drf_tessera import sessions, users
from drf_tessera.exceptions import SessionEnded, UserInactive
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token
from drf_tessera.users import deferral, find_obstacles
from drf_tessera.users import lazy as lazy_module
from tests.users.test_users import lazy, pass_on

pytestmark = pytest.mark.django_db
User = get_user_model()
read_state = lazy_module.read_state


def is_lazy(user: Any) -> bool:
    return lazy_module._REFUSE in read_state(user)


# -- Models ----------------------------------------------------------------------------------------


def test_djangos_own_model_has_no_obstacles() -> None:
    assert find_obstacles(User) == ()


TENANTS: dict[str, tuple[dict[str, Any], bool]] = {
    "django-tenants": ({"TENANT_APPS": ["django.contrib.auth", "drf_tessera"]}, True),
    "a class of the app": ({"TENANT_APPS": ("drf_tessera.apps.TesseraConfig",)}, True),
    "several types": (
        {"TENANT_TYPES": {"public": {"APPS": ["customers"]}, "shop": {"APPS": ["drf_tessera"]}}},
        True,
    ),
    "django-pgschemas": ({"TENANTS": {"default": {"APPS": ["drf_tessera"], "URLCONF": "shop.urls"}}}, True),
    "users of all tenants": ({"TENANT_APPS": ["shop", "drf_tessera_shop"], "TENANT_TYPES": {}}, False),
    "a setting of something else": ({"TENANTS": {"a": "b"}, "TENANT_APPS": None}, False),
}


@pytest.mark.parametrize(("more", "found"), TENANTS.values(), ids=TENANTS)
def test_a_token_of_one_tenant_needs_the_session_of_that_tenant(
    anna: AbstractBaseUser, settings: Any, more: dict[str, Any], found: bool
) -> None:
    """With a schema for each tenant, users of two tenants may have one key."""
    token = verify_access_token(sessions.start(anna).access)
    for name, value in more.items():
        setattr(settings, name, value)
    assert (find_obstacles(User) == ("each tenant has its own users and sessions",)) is found
    lazy_module._find_plan.forget()
    models.QuerySet(Session).delete()  # as in the schema of another tenant
    try:
        if found:
            with pytest.raises(SessionEnded):
                users.lazy_user(token, refuse=pass_on)
        else:
            assert is_lazy(users.lazy_user(token, refuse=pass_on))
    finally:
        lazy_module._find_plan.forget()


@pytest.mark.parametrize("name", deferral._HOOKS)
def test_every_hook_of_a_model_is_an_obstacle(name: str) -> None:
    body = {"__module__": __name__, name: lambda self, *args, **kwargs: None}
    model = type.__new__(ModelBase, "Own", (User,), body)  # without Django's registration
    assert f"{__name__}.Own defines {name}()" in find_obstacles(model)


@pytest.mark.parametrize("name", ["__init__", "from_db", "__setattr__", "__eq__"])
def test_such_a_user_is_loaded_with_its_request(
    name: str, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    inherited: Any = getattr(User, name)

    def own(self: Any, *args: Any, **kwargs: Any) -> Any:
        return inherited(*args) if name == "from_db" else inherited(self, *args, **kwargs)

    monkeypatch.setattr(User, name, classmethod(own) if name == "from_db" else own)
    with django_assert_num_queries(1):
        found = users.lazy_user(token, refuse=pass_on)
        assert (type(found), found.pk) == (User, anna.pk)
    assert "tessera_session_live" not in vars(found)


@pytest.mark.parametrize("signal", [pre_init, post_init])
@pytest.mark.parametrize("everybody", [True, False])
def test_receivers_of_constructions_are_obstacles(signal: Any, everybody: bool) -> None:
    def hear(**kwargs: Any) -> None:
        pass

    sender = None if everybody else User
    signal.connect(hear, sender=sender)
    assert len(find_obstacles(User)) == 1
    signal.disconnect(hear, sender=sender)
    assert find_obstacles(User) == ()


def test_a_manager_that_selects_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = UserManager.get_queryset
    counted = {"get_queryset": lambda self: whole(self).annotate(n=models.Count("groups"))}
    monkeypatch.setattr(UserManager, "get_queryset", counted["get_queryset"])
    (reason,) = find_obstacles(User)
    assert reason == "the default manager is UserManager, which selects by its own code"


def test_a_metaclass_is_an_obstacle() -> None:
    own = type("Own", (ModelBase,), {})
    body = {"__module__": __name__, "Meta": type("Meta", (), {"proxy": True, "app_label": "accounts"})}
    model = own("WithMetaclass", (User,), body)
    assert find_obstacles(model) == ("the metaclass is Own",)


class OneWay:
    """A descriptor of another package that cannot load a deferred value, and looks at the old one."""

    def __get__(self, user: Any, kind: Any = None) -> Any:
        return self if user is None else vars(user)["first_name"]

    def __set__(self, user: Any, value: Any) -> None:
        if "first_name" in vars(user):
            raise AttributeError("written once")
        vars(user)["first_name"] = value

    def __delete__(self, user: Any) -> None:
        del vars(user)["first_name"]


def test_a_descriptor_of_the_key_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "id", OneWay())
    assert find_obstacles(User) == ("the primary key 'id' has a descriptor of its own",)


def test_a_descriptor_of_another_package_sees_loaded_users_only(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "first_name", own := OneWay())
    lazy_module._make_class.cache_clear()
    assert list(deferral.find_own_descriptors(User)) == ["first_name"]
    assert find_obstacles(User) == ()
    found = lazy(anna)
    assert is_lazy(found)
    assert type(found).first_name is own
    assert found.first_name == "Anna"
    with pytest.raises(AttributeError, match="written once"):
        lazy(anna).first_name = "Other"
    found = lazy(anna)
    del found.first_name
    assert "first_name" not in vars(found)
    lazy_module._make_class.cache_clear()


def test_a_key_that_is_a_foreign_key_is_read_without_the_row(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """As with multi-table inheritance; tests/people has a real one."""
    original = User._meta.pk

    class Descriptor(type(vars(User)["id"])):  # type: ignore[misc]  # Django's own, as that of a foreign key
        __module__ = "django.db.models"

        def __set__(self, user: Any, value: Any) -> None:
            vars(user)["id"] = value

    monkeypatch.setattr(User, "id", Descriptor(original))
    lazy_module._make_class.cache_clear()
    assert find_obstacles(User) == ()
    found = lazy(anna)
    with django_assert_num_queries(0):
        assert (found.pk, found.id, hash(found)) == (anna.pk, anna.pk, hash(anna))
        found.pk = 0
        assert found.id == 0
    assert type(found).id is User.id
    assert is_lazy(found)
    lazy_module._make_class.cache_clear()


# -- Looks -----------------------------------------------------------------------------------------


def test_its_type_passes_for_the_model(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    kind = type(found)
    assert operator.eq(kind, User)
    assert operator.eq(User, kind)
    assert not operator.eq(kind, object)
    assert {User: "a serializer"}[kind] == "a serializer"
    assert (kind.__name__, kind.__qualname__, kind.__module__) == ("User", "User", User.__module__)
    new = kind(username="new")
    assert (type(new), new.username, new.pk) == (User, "new", None)
    assert type(new) is User
    assert functools.singledispatch(lambda user: None).dispatch(found.__class__)
    assert is_lazy(found)


def test_its_dict_is_the_rows(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    for look in (vars, lambda user: user.__dict__):
        found = lazy(anna)
        with django_assert_num_queries(1):
            assert look(found)["email"] == "anna@example.com"
        assert not is_lazy(found)


LOOKS: list[Callable[[Any], Any]] = [
    lambda user: user.email,
    vars,
    str,
    lambda user: user.save(),
    lambda user: user.save_base(),
    lambda user: user.delete(),
    lambda user: user.refresh_from_db(),
    lambda user: user.refresh_from_db(fields=["email"]),
    lambda user: user.get_deferred_fields(),
    lambda user: user.full_clean(),
    lambda user: user.serializable_value("email"),
    lambda user: delattr(user, "email"),
    lambda user: user.has_perm("x"),
]


@pytest.mark.parametrize("look", LOOKS)
def test_a_refusal_leaves_an_anonymous_user(
    anna: AbstractBaseUser, django_assert_num_queries: Any, look: Callable[[Any], Any]
) -> None:
    found = lazy(anna)
    found.last_name = "Assigned"
    User.objects.update(is_active=False)
    with pytest.raises(UserInactive):
        look(found)
    with django_assert_num_queries(0):
        assert isinstance(found, AnonymousUser)
        assert vars(found) == {}
        assert (found.pk, str(found), found.is_authenticated) == (None, "AnonymousUser", False)
    anna.refresh_from_db()
    assert (anna.email, anna.last_name) == ("anna@example.com", "")  # type: ignore[attr-defined]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("refused", [DatabaseError("down"), SynchronousOnlyOperation("async")])
def test_an_error_leaves_it_as_it_was(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, look: Callable[[Any], Any], refused: Exception
) -> None:
    found = lazy(anna)
    found.last_name = "Assigned"
    before = copy.copy(read_state(found))

    def fail(*args: Any) -> Any:
        raise refused

    with monkeypatch.context() as patch:
        patch.setattr(lazy_module, "fetch_user", fail)
        for _ in range(2):
            with pytest.raises(type(refused)):
                look(found)
            assert read_state(found) == before
    look(found)  # as soon as it is possible again


def test_a_text_for_debuggers_loads_nothing(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    found = lazy(anna)
    User.objects.all().delete()
    with django_assert_num_queries(0):
        assert f"{found!r}" == f"<User: {anna.pk} (not loaded)>"


def test_a_read_during_its_own_query_does_not_recurse(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    found = lazy(anna)
    original = lazy_module.fetch_user

    def look_again(*args: Any) -> Any:
        row = original(*args)
        with pytest.raises(RuntimeError, match="is being loaded"):
            found.email  # noqa: B018 - the access is the test
        return row

    monkeypatch.setattr(lazy_module, "fetch_user", look_again)
    with django_assert_num_queries(1):
        assert found.email == "anna@example.com"


@pytest.mark.parametrize("when", ["before", "during"])
def test_another_thread_may_be_faster(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    found = lazy(anna)
    original = lazy_module.fetch_user
    if when == "before":
        assert found.email
        found.email = "theirs@example.com"
        lazy_module._load(found)
    else:

        def load_meanwhile(*args: Any) -> Any:
            row = original(*args)
            monkeypatch.setattr(lazy_module, "fetch_user", lambda *args: row)
            other = threading.Thread(
                target=lambda: setattr(found, "email", f"{found.first_name}@example.com")
            )
            other.start()
            other.join()
            return original(*args)

        monkeypatch.setattr(lazy_module, "fetch_user", load_meanwhile)
        assert found.first_name == "Anna"
        assert found.email == "Anna@example.com"
    assert type(found) is User


def test_a_copy_has_a_state_of_its_own(anna: AbstractBaseUser) -> None:
    found = lazy(anna)
    found._state.fields_cache["boss"] = SimpleNamespace()
    twin = copy.copy(found)
    twin._state.fields_cache.clear()
    assert found._state.fields_cache
    assert is_lazy(twin)
    assert pickle.loads(pickle.dumps(lazy(anna))).email == "anna@example.com"  # noqa: S301


def test_a_method_gets_the_arguments_that_it_was_called_with(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(User, "refresh_from_db", lambda self, *args, **kwargs: heard.append((args, kwargs)))
    lazy(anna).refresh_from_db("default", ["email"], deep=True)
    lazy(anna).refresh_from_db(fields=iter(["email", "groups"]))
    lazy(anna).refresh_from_db(fields=["email"], using=None)  # loading it was enough
    assert heard == [(("default", ["email"]), {"deep": True}), ((), {"fields": ["email", "groups"]})]
