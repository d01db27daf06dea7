"""The tenant of a request is found once and never outlives its request. Each tenant has its own memory."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.signals import request_finished
from django.db import connections
from django.http import Http404, HttpRequest
from django.test import RequestFactory, override_settings
from rest_framework.test import APIClient

from drf_tessera import JWTAuthentication, conf, database, http, installation, sessions
from drf_tessera.conf import (
    MAX_TENANTS,
    Settings,
    current_tenant,
    enter_tenant,
    get_identity,
    get_settings,
    per_tenant,
    tenants,
    use_tenant,
)
from drf_tessera.conf import settings as settings_module
from drf_tessera.conf.tenants import ByTenant, find_schema
from drf_tessera.database import using_database
from drf_tessera.exceptions import ProjectError, RefreshInvalid, SettingsError, TokenError
from drf_tessera.installation import read_installation_id
from drf_tessera.limits import counters
from drf_tessera.limits.counters import Budget, Spent, reserve
from drf_tessera.revocation.feed import get_feed
from drf_tessera.tokens import (
    get_issuer,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.tokens.keystore import get_keystore
from tests.conftest import PASSWORD, bearer
from tests.jose.material import ED25519, write_private

asked: list[HttpRequest | None] = []


def by_host(request: HttpRequest | None) -> str:
    asked.append(request)
    return "" if request is None else request.get_host().partition(".")[0]


@pytest.fixture(autouse=True)
def _tenants(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.clear()
    monkeypatch.setattr(installation, "_known", dict(installation._known))
    settings.TESSERA = {"TENANT": by_host}


def make_request(tenant: str = "one", **headers: str) -> HttpRequest:
    return RequestFactory().get("/", headers={"host": f"{tenant}.example.com", **headers})


def leave() -> None:
    request_finished.disconnect(dispatch_uid="nobody")
    tenants._leave_request()


# -- The name --------------------------------------------------------------------------------------


@override_settings(TESSERA={})
def test_without_the_setting_the_name_is_empty() -> None:
    enter_tenant(make_request())
    assert current_tenant() == ""


def test_the_name_is_found_once_for_each_request() -> None:
    request = make_request()
    for _ in range(3):
        enter_tenant(request)
        assert current_tenant() == "one"
    assert asked == [request]
    leave()


def test_outside_of_requests_the_function_gets_none() -> None:
    assert current_tenant() == ""
    assert asked == [None]


def test_the_name_is_dropped_when_the_request_is_over() -> None:
    request = make_request()
    enter_tenant(request)
    leave()
    assert current_tenant() == ""


@pytest.mark.slow
def test_a_request_that_is_gone_does_not_leave_its_name_behind() -> None:
    request = make_request()
    enter_tenant(request)
    asked.clear()
    del request
    gc.collect()
    assert current_tenant() == ""
    leave()


def test_a_second_request_replaces_the_first() -> None:
    first, second = make_request("one"), make_request("two")
    enter_tenant(first)
    enter_tenant(second)
    assert current_tenant() == "two"
    leave()


def test_another_function_does_not_use_the_name_of_the_first() -> None:
    request = make_request()
    enter_tenant(request)
    with override_settings(TESSERA={"TENANT": lambda request: "another"}):
        assert current_tenant() == "another"
        enter_tenant(request)
        assert current_tenant() == "another"
    leave()


def test_another_thread_does_not_use_the_name() -> None:
    request, found = make_request(), []
    enter_tenant(request)
    thread = threading.Thread(target=lambda: found.append(current_tenant()))
    thread.start()
    thread.join()
    assert found == [""]
    leave()


def test_a_job_names_its_tenant() -> None:
    with use_tenant("one"):
        assert current_tenant() == "one"
        request = make_request("two")
        enter_tenant(request)
        assert current_tenant() == "two"
        leave()
        assert current_tenant() == "one", "a request inside of the block does not end the block"
        with use_tenant("three"):
            assert current_tenant() == "three"
        assert current_tenant() == "one"
    assert current_tenant() == ""


def test_a_job_inside_of_a_request_returns_to_the_tenant_of_the_request() -> None:
    request = make_request("one")
    enter_tenant(request)
    with use_tenant("two"):
        assert current_tenant() == "two"
    assert current_tenant() == "one"
    leave()


@override_settings(TESSERA={})
def test_a_job_needs_the_setting() -> None:
    with pytest.raises(SettingsError, match="TENANT"), use_tenant("one"):
        pass


@pytest.mark.parametrize("name", [None, 5, b"one", "x" * 101, "a\nb"])
def test_a_name_is_a_short_text(name: Any) -> None:
    with (
        override_settings(TESSERA={"TENANT": lambda request: name}),
        pytest.raises(ProjectError, match="printable"),
    ):
        current_tenant()
    with pytest.raises(ProjectError, match="printable"), use_tenant(name):
        pass


# -- django-tenants --------------------------------------------------------------------------------


class Connections:
    def __init__(self, name: str | None) -> None:
        self.name = name

    def __getitem__(self, alias: str) -> Any:
        return SimpleNamespace(schema_name=self.name)


WITH_SCHEMAS: dict[str, Any] = {"INSTALLED_APPS": ["django_tenants", "drf_tessera"]}
OURS = ["drf_tessera.apps.TesseraConfig"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({**WITH_SCHEMAS, "TENANT_APPS": OURS}, True),
        ({**WITH_SCHEMAS, "TENANT_TYPES": {"shop": {"APPS": OURS}, "none": {}}}, True),
        ({"INSTALLED_APPS": ["django_tenants.apps.DjangoTenantsConfig"], "TENANT_APPS": OURS}, True),
        ({**WITH_SCHEMAS, "TENANT_APPS": ["shop"]}, False),
        ({**WITH_SCHEMAS, "TENANT_APPS": None, "TENANT_TYPES": None}, False),
        ({"INSTALLED_APPS": ["drf_tessera"], "TENANT_APPS": OURS}, False),
    ],
)
def test_the_schema_of_django_tenants_is_found(settings: Any, more: dict[str, Any], found: bool) -> None:
    fake = SimpleNamespace(**more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tenants, "django_settings", fake)
        assert tenants.find_automatically() is (find_schema if found else None)


@pytest.mark.parametrize(("value", "found"), [(None, find_schema), ("", None), (by_host, by_host)])
def test_the_setting_takes_precedence_over_django_tenants(
    monkeypatch: pytest.MonkeyPatch, value: Any, found: Any
) -> None:
    monkeypatch.setattr(conf.settings, "find_automatically", lambda: find_schema)
    with override_settings(TESSERA={"TENANT": value}):
        assert get_settings().tenant is found


def test_the_schema_is_the_one_in_use_and_not_the_one_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Connections("one")
    monkeypatch.setattr(tenants, "connections", found)
    with override_settings(TESSERA={"TENANT": find_schema}):
        enter_tenant(make_request())
        assert current_tenant() == "one"
        found.name = "two"  # schema_context
        assert current_tenant() == "two"
        found.name = None
        assert current_tenant() == ""
        with pytest.raises(SettingsError, match="schema_context"), use_tenant("one"):
            pass


# -- The memory of each tenant ------------------------------------------------------------------------


def in_each(read: Callable[[], Any]) -> list[Any]:
    found = []
    for name in ("one", "two", ""):
        with use_tenant(name):
            found.append(read())
    return found


def test_each_tenant_has_keys_of_its_own() -> None:
    first, second = in_each(get_keystore), in_each(get_keystore)
    assert len(set(map(id, first))) == 3
    assert [one is other for one, other in zip(first, second, strict=True)] == [True] * 3
    assert len({store.ring.signing.kid for store in in_each(get_keystore)}) == 3
    assert len({store.refresh_keys for store in in_each(get_keystore)}) == 3


def test_tenants_share_a_feed_if_they_share_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = in_each(get_feed)
    assert len(set(map(id, shared))) == 1
    monkeypatch.setattr(database, "read_schema", lambda own: (current_tenant(), True))
    monkeypatch.setattr(connections["default"], "schema_name", "acme", raising=False)
    in_schema = get_feed()
    assert in_schema is not shared[0]
    assert in_schema._worker.place == ("default", (current_tenant(), True), "default\nacme")
    with using_database("other"):
        monkeypatch.setitem(connections.settings, "other", connections.settings["default"])
        monkeypatch.setattr(database, "read_schema", lambda own: None)
        assert get_feed() not in (in_schema, shared[0])
        assert get_feed()._worker.place.alias == "other"


def test_a_tenant_without_a_name_has_the_keys_of_a_project_without_tenants() -> None:
    *_, without_name = in_each(get_keystore)
    with override_settings(TESSERA={}):
        assert get_keystore().refresh_keys == without_name.refresh_keys
        assert get_keystore().ring.signing.kid == without_name.ring.signing.kid


def test_the_issuer_names_the_tenant() -> None:
    own = f"drf-tessera:{installation._known['']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "_known", dict.fromkeys(("one", "two", ""), own.partition(":")[2]))
        assert in_each(get_issuer) == [f"{own}:one", f"{own}:two", own]
    with override_settings(TESSERA={"TENANT": by_host, "ISSUER": "https://api.example.com"}):
        assert in_each(get_issuer)[::2] == ["https://api.example.com:one", "https://api.example.com"]
    with override_settings(TESSERA={"TENANT": by_host, "ISSUER": "https://{tenant}.example.com"}):
        assert in_each(get_issuer)[:2] == ["https://one.example.com", "https://two.example.com"]
        assert in_each(get_issuer)[2].startswith("drf-tessera:")


@pytest.mark.parametrize(
    ("tenant", "written", "issuer", "address"),
    [
        ("a/b#c", "https://{tenant}.example.com", "https://a%2Fb%23c.example.com", True),
        ("shop.example", "https://{tenant}", "https://shop.example", True),
        ("8080", "https://api.example.com", "https://api.example.com:8080", False),
        ("acme", "{tenant}", "acme", False),
        ("acme", "https://{tenant}/?a", "https://acme/?a", False),
        ("", "https://api.example.com", "https://api.example.com", True),
        ("", "https://{tenant}.example.com", None, False),
        ("acme", None, None, False),
    ],
)
def test_a_name_of_this_server_may_have_a_place_for_the_tenant(
    tenant: str, written: str | None, issuer: str | None, address: bool
) -> None:
    """The name of a tenant never becomes another host, or a part of the address of another tenant."""
    texts = {"AUDIENCE": ["notes", "{tenant}"], "RESOURCE": "https://example.com/{tenant}/"}
    with override_settings(TESSERA={"TENANT": by_host, "ISSUER": written, **texts}), use_tenant(tenant):
        found = get_identity()
        assert (found.issuer, found.address) == (issuer, issuer if address else None)
        if not tenant:
            assert (found.audience, found.resource) == (("notes",), None)


def test_a_request_without_a_tenant_has_the_default_audience() -> None:
    with override_settings(TESSERA={"TENANT": by_host, "AUDIENCE": "{tenant}"}):
        assert [found.audience for found in in_each(get_identity)] == [("one",), ("two",), ("drf-tessera",)]


def test_the_values_of_a_limited_number_of_tenants_are_kept() -> None:
    made: list[str] = []

    @per_tenant
    def get_value(settings: Settings) -> object:
        made.append(current_tenant())
        return object()

    with use_tenant("used"):
        kept = get_value()
    for number in range(3 * MAX_TENANTS):
        with use_tenant(f"made-up-{number}"):
            get_value()
        with use_tenant("used"):
            assert get_value() is kept
    by_tenant = get_value._by_tenant
    assert by_tenant is not None
    assert len(by_tenant[1]) <= MAX_TENANTS
    get_value.forget()
    with use_tenant("used"):
        assert get_value() is not kept
    assert made.count("used") == 2


def test_values_are_made_again_when_the_settings_change() -> None:
    with use_tenant("one"):
        before = get_keystore()
    with override_settings(TESSERA={"TENANT": by_host, "ACCESS_LIFETIME": 60}), use_tenant("one"):
        assert get_keystore() is not before


def test_two_threads_get_one_value() -> None:
    """Otherwise a logout in one feed would not be known in the other one."""
    barrier, found = threading.Barrier(8), []

    @per_tenant
    def get_value(settings: Settings) -> object:
        return object()

    with use_tenant("other"):
        get_value()

    def get() -> None:
        barrier.wait()
        with use_tenant("one"):
            found.append(get_value())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_a_thread_that_comes_second_gets_the_value_of_the_first() -> None:
    class Late(dict[str, str]):
        """Another thread adds the value between the first look and the lock."""

        looks = 0

        def get(self, name: str, default: Any = None) -> Any:
            self.looks += 1
            return super().get(name, default) if self.looks > 1 else None

    values = tenants.ByTenant[str]()
    values._young = Late(one="value")
    assert values.find("one", lambda: pytest.fail("made twice")) == "value"
    assert len(values) == 1


@pytest.mark.django_db
def test_a_process_reads_the_id_of_each_tenant_once(django_assert_num_queries: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "_known", {})
        with django_assert_num_queries(3):
            in_each(read_installation_id)
            in_each(read_installation_id)
        patch.setattr(installation, "MAX_TENANTS", 4)
        for number in range(10):
            with use_tenant(f"made-up-{number}"):
                read_installation_id()
        assert len(installation._known) <= 4


PAIR = {"KEYS": [{"alg": "EdDSA", "pem": write_private(ED25519)}], "ISSUER": "https://api.example.com"}


@pytest.mark.django_db
@pytest.mark.parametrize("more", [{}, PAIR], ids=["derived keys", "one key pair for all tenants"])
def test_a_token_of_one_tenant_is_refused_by_another(anna: AbstractBaseUser, more: dict[str, Any]) -> None:
    with override_settings(TESSERA={"TENANT": by_host, **more}):
        with use_tenant("one"):
            grant = sessions.start(anna)
            header = f"Bearer {grant.access}"
            verify_access_token(grant.access, credentials=header)
            assert recall_access_token(header) is not None
        for other in ("two", ""):
            with use_tenant(other):
                assert recall_access_token(header) is None
                with pytest.raises(TokenError):
                    verify_access_token(grant.access, credentials=header)
                with pytest.raises(RefreshInvalid):
                    read_refresh_token(str(grant.refresh))
        with use_tenant("one"):
            assert recall_access_token(header) is not None, "the other tenants do not disturb the memory"


def test_limits_are_counted_by_tenant() -> None:
    budget = Budget(name="x", key="anna", limit=1, seconds=3600)
    in_each(lambda: reserve(budget))
    for name in ("one", "two", ""):
        with use_tenant(name), pytest.raises(Spent):
            reserve(budget)
    assert counters.read_clock() > 0


def test_the_names_of_cookies_tell_tenants_apart() -> None:
    long, strange, plain = "x" * 33, "shop.example", "shop-1"
    found = []
    for name in ("", plain, strange, long, long[1:]):
        with use_tenant(name):
            found.append(http.cookies.name_refresh_cookie(secure=True, path="/api/"))
    assert found[:2] == ["__Secure-tessera_refresh_token", "__Secure-tessera_refresh_token_shop-1"]
    assert len(set(found)) == 5
    assert all("token" in name for name in found), "Django's error reports hide such cookies"
    for name in found[2:4]:
        assert name.startswith("__Secure-tessera_refresh_token_."), name


# -- Requests --------------------------------------------------------------------------------------


@pytest.mark.django_db
class TestRequests:
    def log_in(self, api: APIClient, tenant: str) -> Any:
        body = {"username": "anna", "password": PASSWORD}
        answer = api.post("/api/token/", body, headers={"host": f"{tenant}.example.com"})
        assert answer.status_code == 200, answer.content
        return answer.json()

    def test_each_entrance_of_a_request_enters_its_tenant(self, anna: AbstractBaseUser) -> None:
        entrances: dict[str, Callable[[HttpRequest], object]] = {
            "authentication": JWTAuthentication().authenticate,
            "the client": lambda request: http.describe_client(request, proxies=0),
            "the refresh token": lambda request: http.find_refresh_token(request, {}),
        }
        for name, enter in entrances.items():
            request = make_request()
            enter(request)
            assert current_tenant() == "one", name
            leave()

    def test_an_endpoint_asks_once(self, api: APIClient, anna: AbstractBaseUser) -> None:
        tokens = self.log_in(api, "one")
        for path, body in (
            ("/api/token/refresh/", {"refresh": tokens["refresh"]}),
            ("/api/token/verify/", {"token": tokens["access"]}),
        ):
            asked.clear()
            answer = api.post(path, body, headers={"host": "one.example.com"})
            assert answer.status_code == 200, answer.content
            assert len(asked) == 1, path
        asked.clear()
        answer = api.get("/me/", **bearer(tokens["access"]), headers={"host": "one.example.com"})
        assert answer.status_code == 200
        assert len(asked) == 1
        answer = api.get("/me/", **bearer(tokens["access"]), headers={"host": "two.example.com"})
        assert answer.status_code == 401
        assert current_tenant() == ""

    def test_a_host_without_a_tenant_is_answered_as_the_function_says(
        self, api: APIClient, settings: Any
    ) -> None:
        def refuse(request: HttpRequest | None) -> str:
            raise Http404

        settings.TESSERA = {"TENANT": refuse}
        assert api.get("/me/").status_code == 404
        answer = api.post("/api/token/refresh/", {"refresh": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_a_user_is_not_loaded_in_another_tenant(self, anna: AbstractBaseUser) -> None:
        with use_tenant("one"):
            access = sessions.start(anna).access
        request = make_request(authorization=f"Bearer {access}")
        found = JWTAuthentication().authenticate(request)
        assert found is not None
        user, _ = found
        with use_tenant("two"), pytest.raises(ProjectError, match="the tenant has changed"):
            user.get_username()
        assert user.get_username() == anna.get_username()
        with use_tenant("two"):
            assert user.get_username() == anna.get_username(), "it is loaded now"
        leave()


def test_two_first_requests_use_the_values_of_one(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.TESSERA = {"TENANT": lambda request: "acme"}
    get = per_tenant(lambda made: object())
    chosen, other = get_settings(), ByTenant[object]()
    first = other.find("acme", object)

    class Late:
        """A lock that is held until another thread has made its choice."""

        def __enter__(self) -> None:
            get._by_tenant = chosen, other

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(settings_module, "_choosing", [Late()])
    assert get() is first
