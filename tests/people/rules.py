"""The rules that hold for every user model. Each takes nothing, and raises ``AssertionError``."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import getattr_static
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin import site
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.hashers import make_password
from django.core.checks import run_checks
from django.db import connection, models, transaction
from django.test import RequestFactory, TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIClient

from drf_tessera import JWTAuthentication, sessions, signals
from drf_tessera.checks.users import check_loaded_user, check_user_fields
from drf_tessera.exceptions import UserGone, UserInactive
from drf_tessera.models import Revocation, Session, columns_tell_who_is_active
from drf_tessera.rest.serializers import UserSerializer
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import find_email_field, fold_name
from drf_tessera.users.deferral import find_obstacles
from tests.conftest import PASSWORD, bearer

Rule = Callable[[], None]
RULES: list[Rule] = []
BACKENDS = ("django.contrib.auth.backends.ModelBackend", "drf_tessera.backends.EmailBackend")
SIGNALS_OF_USERS = (
    signals.session_started,
    signals.new_device,
    signals.session_refreshed,
    signals.session_revoked,
)
UNREADABLE = (
    "anna?",
    "\U0001f4f1",
    "\u0664\u0667",
    "9" * 80,
    "-1",
    "1e400",
    "NaN",
    "{}",
    "+4144",
    "a\u0301",
    "x" * 320,
)
"""Texts that are nobody's name, and that some columns cannot read."""


def rule(function: Rule) -> Rule:
    """Add a rule for the models whose users log in by a password."""

    @wraps(function)
    def check() -> None:
        if stores_passwords():
            function()

    RULES.append(check)
    return function


def rule_for_all(function: Rule) -> Rule:
    RULES.append(function)
    return function


def stores_passwords() -> bool:
    return any(field.name == "password" for field in get_user_model()._meta.concrete_fields)


def make_user(*, other: bool = False, **fields: Any) -> Any:
    model: Any = get_user_model()
    if hasattr(model, "make_name"):
        name = model.make_name(other)
    else:
        name = getattr(model, "OTHER", "bob") if other else getattr(model, "NAME", "anna")
    user = model(**{model.USERNAME_FIELD: name}, **fields)
    user.set_password(PASSWORD)
    user.save()
    return model._default_manager.get(pk=user.pk)


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block writes, as the end of a test does."""
    block = transaction.atomic()
    block._from_testcase = True  # as Django's TestCase marks its own
    with block:
        yield
        transaction.set_rollback(True)


def typed() -> str:
    return str(getattr(get_user_model(), "TYPED", "anna"))


def post(path: str, body: dict[str, Any], **headers: Any) -> Any:
    return APIClient().post(f"/api/token/{path}", body, **headers)


def log_in(name: str | None = None, *, key: str = "username", password: str = PASSWORD) -> Any:
    return post("", {key: typed() if name is None else name, "password": password})


@rule
def the_main_job() -> None:
    user = make_user()
    answer = log_in()
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["user"]["id"] in (user.pk, str(user.pk)), body["user"]
    assert body["user"]["username"] == typed(), body["user"]
    assert {type(value) for name, value in body["user"].items() if name != "id"} == {str}, body["user"]
    api = APIClient()
    assert api.get("/me/", **bearer(body["access"])).json() == {"id": str(user.pk)}
    answer = post("refresh/", {"refresh": body["refresh"], "with_user": True})
    assert answer.json()["user"] == body["user"], answer.content
    assert len(api.get("/api/token/sessions/", **bearer(body["access"])).json()) == 1
    assert post("revoke/", {"refresh": answer.json()["refresh"]}).json() == {"revoked": True}
    assert api.get("/me/", **bearer(body["access"])).status_code == 401


@rule
def every_backend_reads_every_spelling() -> None:
    make_user()
    for backend in BACKENDS:
        with override_settings(AUTHENTICATION_BACKENDS=[backend]):
            for name in (typed(), f" {typed()}\u00a0", *getattr(get_user_model(), "SPELLINGS", ())):
                answer = log_in(name)
                assert answer.status_code == 200, (backend, name, answer.content)
                assert log_in(name, password="wrong").status_code == 401, (backend, name)
                assert fold_name(name) == fold_name(typed()), name


@rule
def a_name_that_the_column_cannot_read_is_a_failed_login() -> None:
    make_user()
    for backend in BACKENDS:
        with override_settings(AUTHENTICATION_BACKENDS=[backend]):
            for name in UNREADABLE:
                answer = log_in(name)
                assert (answer.status_code, answer.json()["code"]) == (401, "login_failed"), (backend, name)
            for name in UNREADABLE:
                answer = log_in(f"{name[:300]}@example.com", key="email")
                assert answer.status_code in (400, 401), (backend, name, answer.content)


@rule
def an_address_logs_in_where_there_is_a_column_for_it() -> None:
    column = find_email_field()
    if column is None:
        assert log_in("anna@example.com", key="email").json()["code"] in (
            "email_login_unavailable",
            "login_failed",
        )
        return
    make_user(other=True)  # without an address
    user = make_user(**{column: "anna@example.com"})
    for key in ("email", "username"):
        answer = log_in(" ANNA@Example.com", key=key)
        assert answer.status_code == 200, (key, answer.content)
        assert answer.json()["user"] == UserSerializer(user).data
        assert answer.json()["user"]["email"] == "anna@example.com"


@rule
def users_without_a_name_or_an_address_disturb_nobody() -> None:
    model: Any = get_user_model()
    for name in filter(None, (model.USERNAME_FIELD, find_email_field())):
        field = model._meta.get_field(name)
        if field.null:
            nobody = make_user(**({} if name == model.USERNAME_FIELD else {name: None}))
            model._default_manager.filter(pk=nobody.pk).update(**{name: None})
            nobody.refresh_from_db()
            shown = UserSerializer(nobody).data
            assert shown["username" if name == model.USERNAME_FIELD else "email"] == ""
            for text in ("", "None", "none@example.com"):
                assert authenticate(username=text, password=PASSWORD) is None
                assert authenticate(email=text, password=PASSWORD) is None
            assert sessions.start(nobody).access
            break


def refused(login: dict[str, Any]) -> list[int]:
    """Return what a refresh and a view that reads the user answer to the tokens of a login."""
    view = APIClient().get("/name/", **bearer(login["access"]))
    return [post("refresh/", {"refresh": login["refresh"]}).status_code, view.status_code]


@rule_for_all
def a_new_instance_is_as_good_as_its_row() -> None:
    """Check keys whose form differs from the row's, and a ``password`` without a column."""
    model: Any = get_user_model()
    name = model.make_name() if hasattr(model, "make_name") else getattr(model, "NAME", "anna")
    user = model(**{model.USERNAME_FIELD: name})
    user.set_password(PASSWORD)
    user.save()
    row = model._default_manager.get()
    told: set[str] = set()

    def note(sub: str, **kwargs: Any) -> None:
        told.add(sub)

    for signal in SIGNALS_OF_USERS:
        signal.connect(note)
    with TestCase.captureOnCommitCallbacks(execute=True):
        for found in (user, row):
            begun = sessions.start(found)
            assert begun.sub == str(row.pk)
            assert (
                sessions.read_handle(sessions.write_handle(read_refresh_token(begun.refresh))).sub
                == begun.sub
            )
            assert me({"access": begun.access}) == row
            assert APIClient().get("/me/", **bearer(begun.access)).status_code == 200
            assert [
                item["current"]
                for item in APIClient().get("/api/token/sessions/", **bearer(begun.access)).json()
            ]
            assert post("refresh/", {"refresh": begun.refresh, "with_user": True}).json()["user"]
            assert sessions.revoke_all(found) == 1
            assert post("refresh/", {"refresh": begun.refresh}).json()["code"] == "session_revoked"
    for signal in SIGNALS_OF_USERS:
        assert signal.disconnect(note)
    assert told == {str(row.pk)}


@rule_for_all
def who_has_no_password_cannot_log_in() -> None:
    model: Any = get_user_model()
    user = make_user()
    if stores_passwords():
        if not model._meta.get_field("password").null:
            return
        models.QuerySet(model).filter(pk=user.pk).update(password=None)
    for backend in BACKENDS:
        with override_settings(AUTHENTICATION_BACKENDS=[backend]):
            assert log_in().status_code == 401, backend


@rule
def who_may_not_log_in_may_not_refresh() -> None:
    if not hasattr(get_user_model(), "deactivate"):
        return
    for silently in (True, False):
        for claims in (None, lambda user, session: {"key": str(user.pk)}):
            with override_settings(TESSERA={**settings.TESSERA, "CLAIMS": claims}), undone():
                user = make_user()
                begun = log_in().json()
                assert post("refresh/", {"refresh": begun["refresh"]}).status_code == 200
                begun = log_in().json()
                user.deactivate(silently=silently)
                assert log_in().status_code == 401, "logs in"
                assert refused(begun) == [401, 401], (silently, claims)
                try:
                    sessions.start(user)
                except (UserInactive, UserGone):
                    pass
                else:
                    raise AssertionError("a session was started")
                reasons = set(Session.objects.values_list("revoked_for", flat=True))
                assert silently or "" not in reasons, reasons


def me(login: dict[str, Any]) -> Any:
    """Return ``request.user`` of a request with the access token of a login."""
    request = Request(
        RequestFactory().get("/", **bearer(login["access"])), authenticators=[JWTAuthentication()]
    )
    return request.user


@rule
def request_user_notices_what_a_loaded_user_would() -> None:
    model: Any = get_user_model()
    if not hasattr(model, "CHANGES"):
        return
    make_user(email="old@example.com")
    begun, changes = log_in().json(), model.CHANGES
    changes.clear()
    user = me(begun)
    user.email = "new@example.com"  # before anything is read
    user.save()
    assert model.__name__ in _SILENT or changes == [("old@example.com", "new@example.com")], changes
    changes.clear()
    user = me(begun)
    assert user.email == "new@example.com"
    user.email = "newer@example.com"  # after a read
    user.save()
    assert model.__name__ in _SILENT or changes == [("new@example.com", "newer@example.com")], changes
    changes.clear()
    user = me(begun)
    user.is_active = True
    user.save()
    assert changes == []
    assert model._default_manager.get().email == "newer@example.com"


_SILENT = {"ByClass", "Polymorphic"}
"""Models that keep something other than changes."""


@rule
def request_user_is_the_row_as_soon_as_somebody_looks() -> None:
    model: Any = get_user_model()
    user = make_user()
    begun = log_in().json()
    whole = {name for name in vars(user) if not name.startswith("_")}
    looks: dict[str, Any] = {
        "a column": lambda found: found.password == user.password,
        "vars()": lambda found: whole <= vars(found).keys() and vars(found)["password"] == user.password,
        "str()": lambda found: _show(found) == _show(user),
        "the class": lambda found: isinstance(found, type(user)) and found.__class__ is type(user),
        "type()": lambda found: operator.eq(type(found), type(user)) and {type(user): 1}[type(found)] == 1,
        "equality": lambda found: found == user and user == found and hash(found) == hash(user),
        "a method of a child": lambda found: not hasattr(user, "is_special") or found.is_special(),
        "an annotation": lambda found: not hasattr(user, "reports") or found.reports == user.reports,
        "a copy": lambda found: copy.copy(found).password == user.password,
        "pickle": lambda found: pickle.loads(pickle.dumps(found)).password == user.password,  # noqa: S301
        "a new user": lambda found: (
            type(found)(password="x").password == "x" and type(found)().pk is not user.pk
        ),
        "deferred columns": lambda found: found.get_deferred_fields() == set(),
        "every column": lambda found: all(
            getattr(found, field.attname) == getattr(user, field.attname)
            for field in model._meta.concrete_fields
            if field.attname != "last_login"
        ),
    }
    for name, look in looks.items():
        assert look(me(begun)), name


def _show(user: Any) -> str:
    try:
        return str(user)
    except TypeError:  # Django's own __str__ returns the name, which may not be a text
        return "no text"


WAITING = {
    *("PhoneName", "IntegerName", "DecimalName", "UUIDName", "RelatedName", "NoName", "SharedName"),
    *("NullAddress", "EmptyAddressField", "RelatedAddress", "ComputedAddress"),
    *("HexKey", "ObjectKey", "NullPassword", "NoPassword", "Plain"),
    *("PropertyActive", "MethodActive", "TextActive", "Employee", "OwnKey", "PersonAsUser"),
    *("BySave", "ByMethod", "ByDescriptor"),
}
"""The models whose rows are loaded when somebody looks. Those of all others are loaded at once."""


@rule
def a_row_waits_where_nobody_can_tell_the_difference() -> None:
    model: Any = get_user_model()
    user = make_user()
    begun = log_in().json()
    assert (find_obstacles(model) == ()) == (model.__name__ in WAITING), find_obstacles(model)
    with CaptureQueriesContext(connection) as queries:
        found = me(begun)
        assert found.pk == user.pk
        assert repr(found)
    queries = [query for query in queries.captured_queries if "tessera_revocation" not in query["sql"]]
    assert len(queries) == (model.__name__ not in WAITING), queries
    texts = [message.msg for message in check_loaded_user(None)]
    assert bool(texts) == (model.__name__ not in WAITING), texts


@rule
def another_save_ends_no_session() -> None:
    user = make_user()
    begun = log_in().json()
    user.save()
    user.save(update_fields=[get_user_model().USERNAME_FIELD])
    assert refused(begun) == [200, 200]


@rule
def a_refresh_is_one_statement_where_the_columns_tell_enough() -> None:
    make_user()
    begun = log_in().json()
    with CaptureQueriesContext(connection) as queries:
        assert sessions.refresh(begun["refresh"]).refresh
    assert columns_tell_who_is_active() == (len(queries) == 1), queries.captured_queries
    assert len(queries) <= 3, queries.captured_queries


@rule
def a_password_that_any_class_saves_ends_the_sessions() -> None:
    model: Any = get_user_model()
    user = make_user()
    relatives = [
        kind
        for kind in apps.get_models(include_auto_created=False)
        if issubclass(kind, (model, *model._meta.get_parent_list()))
        and not kind._meta.swapped
        and "Polymorphic" not in kind.__name__  # a row of theirs has one class for good
    ]
    if model._meta.proxy:
        relatives.append(model._meta.concrete_model)
    assert model in relatives or "Polymorphic" in model.__name__
    for kind in relatives:
        changes: list[dict[str, Any]] = [{"password": make_password("another")}]
        changes += [{"is_active": False}] if columns_tell_who_is_active() else []
        for change in changes:
            with undone():
                begun = log_in().json()
                row = _as(kind, user)
                vars(row).update(change)
                row.save()
                assert refused(begun) == [401, 401], (kind, change)
        if issubclass(model, kind):
            with undone():
                begun = log_in().json()
                kind._base_manager.filter(pk=_as(kind, user).pk).delete()
                assert refused(begun) == [401, 401], kind


def _as(kind: Any, user: Any) -> Any:
    """Return the row of a user as an instance of another class of its family."""
    shared = next(parent for parent in kind.__mro__ if isinstance(user, parent) and hasattr(parent, "_meta"))
    shared = shared._meta.concrete_model
    key = getattr(user, shared._meta.pk.attname)
    found = kind._base_manager.filter(**{shared._meta.pk.name: key}).first()
    if found is None:
        found = kind(**{kind._meta.get_ancestor_link(shared).attname: key})
        vars(found).update({f.attname: getattr(user, f.attname) for f in shared._meta.concrete_fields})
        found.save_base(raw=True)
        found = kind._base_manager.get(pk=found.pk)
    return found


@rule
def many_users_are_deleted_with_few_statements() -> None:
    model: Any = get_user_model()
    if model.USERNAME_FIELD not in ("name", "username") or getattr(model, "NAME", "anna") != "anna":
        return
    users = []
    for number in range(40):
        user = model(**{model.USERNAME_FIELD: f"u{number}"})
        user.save()
        users.append(model._default_manager.get(pk=user.pk))
    begun = [sessions.start(user) for user in users]
    with CaptureQueriesContext(connection) as queries:
        models.QuerySet(model).filter(pk__in=[user.pk for user in users]).delete()
    assert len(queries) < 40, queries.captured_queries
    assert not Session.objects.exists()
    assert set(Revocation.objects.values_list("session_id", flat=True)) == {g.session_id for g in begun}


@rule
def the_admin_finds_a_person_by_name_and_address() -> None:
    own: Any = site.get_model_admin(Session)
    column = find_email_field()
    user, other = make_user(**({column: "anna@example.com"} if column else {})), make_user(other=True)
    begun = sessions.start(user)
    sessions.start(other)
    name = typed().rstrip("0") if "." in typed() else typed()  # SQLite writes no last zeros of a decimal
    for term in (name, *(["ANNA@example"] if column else [])):
        found, _ = own.get_search_results(None, Session.objects.all(), term)
        assert begun.session_id in {row.pk for row in found}, term
        assert typed() == "7" or len(found) == 1, (term, found)  # a key of one digit is in many ids
    for term in UNREADABLE:
        found, _ = own.get_search_results(None, Session.objects.all(), term)
        assert len(found) <= 2, term


@rule
def a_token_can_carry_the_name() -> None:
    model: Any = get_user_model()
    field = model._meta.get_field(model.USERNAME_FIELD)
    with override_settings(TESSERA={**settings.TESSERA, "USER_FIELDS": [model.USERNAME_FIELD]}):
        if field.is_relation:
            assert [found.id for found in check_user_fields(None)] == ["tessera.E013"]
            return
        user = make_user()
        begun = log_in().json()
        waits = model.__name__ in WAITING
        with CaptureQueriesContext(connection) as queries:
            found = me(begun)
            assert getattr(found, field.attname) == getattr(user, field.attname)
        sent = [query for query in queries.captured_queries if "tessera_revocation" not in query["sql"]]
        own = type(getattr_static(model, field.attname)).__module__.partition(".")[0] != "django"
        assert len(sent) == (not waits or own), sent
        begun = post("refresh/", {"refresh": begun["refresh"]}).json()
        assert getattr(me(begun), field.attname) == getattr(user, field.attname)


@rule
def the_checks_run() -> None:
    assert {found.id for found in run_checks(include_deployment_checks=True)}
    assert not {found.id for found in run_checks() if str(found.id).startswith("tessera.")}
