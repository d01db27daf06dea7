"""Each check: the settings that it accepts, and the settings that it reports."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import FunctionType, ModuleType
from typing import Any

import pytest
from django.contrib.auth import get_user_model, hashers
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import run_checks
from django.db import connections, models
from django.db.models.functions import Lower
from django.test import override_settings
from django.urls import include, path
from rest_framework.settings import api_settings

from drf_tessera.checks import projects, stores, tenants, users
from drf_tessera.conf import foreign, read_settings
from drf_tessera.rest.views import LoginView, RefreshView
from tests.conf.test_settings import BAD
from tests.jose.material import ED25519, SECRET, write_private


class Router:
    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return "elsewhere" if model._meta.app_label == "tessera" else None


class OwnRefresh(RefreshView):
    """A project's subclass."""


def reported(*, deploy: bool = False) -> set[str]:
    found = {str(message.id) for message in run_checks(include_deployment_checks=deploy)}
    return {name.removeprefix("tessera.") for name in found if name.startswith("tessera.")}


def test_a_correct_project_gets_no_message() -> None:
    assert reported() == set()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "key", "value"), BAD)
def test_settings(number: str, key: str, value: Any) -> None:
    with override_settings(TESSERA={key: value}):
        assert reported() == {number}


@pytest.mark.parametrize(
    ("value", "number"),
    [([], "E001"), ({"X": 1}, "E002"), ({"REFRESH_GRACE": 10**7}, "E004"), ({"KEYS": [{}]}, "E007")],
)
def test_settings_as_a_whole(value: Any, number: str) -> None:
    with override_settings(TESSERA=value):
        assert reported() == {number}


def test_e011_sessions_and_users_in_two_databases() -> None:
    with override_settings(DATABASE_ROUTERS=["tests.checks.test_checks.Router"]):
        assert [found.id for found in stores.check_databases(None)] == ["tessera.E011"]
    assert stores.check_databases(None) == []


class TestE012:
    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    def report(self, monkeypatch: pytest.MonkeyPatch, view: Any) -> list[str]:
        module = ModuleType("tests.planted_urls")
        inner = [path("again/", view), path("login/", LoginView.as_view())]
        module.urlpatterns = [path("auth/", include(inner))]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tests.planted_urls", module)
        with override_settings(ROOT_URLCONF="tests.planted_urls"):
            return [found.msg for found in projects.check_refresh_views(None)]

    def test_atomic_requests_of_another_database_are_not_reported(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No false alarm about a second database, and no view that excludes only the first database."""
        other = {**connections.settings["default"], "ATOMIC_REQUESTS": True}
        monkeypatch.setitem(connections.settings, "other", other)
        assert self.report(monkeypatch, OwnRefresh.as_view()) == []
        assert {"default", "other"} <= OwnRefresh.as_view()._non_atomic_requests

    def test_subclasses_inherit_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.report(monkeypatch, OwnRefresh.as_view()) == []

    def test_a_wrapper_that_loses_it_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        inner = OwnRefresh.as_view()

        def wrapper(request: Any) -> Any:
            return inner(request)

        wrapper.cls = OwnRefresh  # type: ignore[attr-defined]
        assert "'auth/again/'" in self.report(monkeypatch, wrapper)[0]

    def test_a_project_without_urls_gets_no_message(self) -> None:
        with override_settings(ROOT_URLCONF=None):
            assert projects.check_refresh_views(None) == []

    def test_without_autocommit_there_is_no_refresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections.settings["default"], "AUTOCOMMIT", False)
        (found,) = projects.check_refresh_views(None)
        assert (found.id, "AUTOCOMMIT" in found.msg) == ("tessera.E012", True)


class TestW001:
    @pytest.mark.slow
    def test_an_address_that_may_stand_twice(self) -> None:
        assert "W001" in reported(deploy=True)

    def test_nobody_logs_in_by_it(self) -> None:
        for backends in (["django.contrib.auth.backends.ModelBackend"], ["no.such.Backend"]):
            with override_settings(AUTHENTICATION_BACKENDS=backends):
                assert users.check_email_is_unique(None) == []

    def test_a_unique_column_or_constraint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        meta = get_user_model()._meta
        field = meta.get_field("email")
        with monkeypatch.context() as patch:
            patch.setitem(vars(field), "unique", True)  # a cached property
            assert users.check_email_is_unique(None) == []
        for constraint in (
            models.UniqueConstraint(fields=["email"], name="x"),
            models.UniqueConstraint(Lower("email"), name="x"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(meta, "constraints", [constraint])
                assert users.check_email_is_unique(None) == []


@pytest.mark.slow
def test_w002_limits_that_each_process_counts_for_itself() -> None:
    assert "W002" in reported(deploy=True)
    shared = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "x"}}
    with override_settings(CACHES=shared):
        assert stores.check_throttle_cache(None) == []


@pytest.mark.parametrize(
    ("backend", "options", "fault"),
    [
        ("filebased.FileBasedCache", {}, "atomically"),
        ("db.DatabaseCache", {}, "with 300 entries at most"),
        ("db.DatabaseCache", {"OPTIONS": {"MAX_ENTRIES": 9_999}}, "with 9999 entries at most"),
        ("db.DatabaseCache", {"MAX_ENTRIES": 50}, "with 50 entries at most"),
        ("db.DatabaseCache", {"OPTIONS": {"MAX_ENTRIES": 10_000}}, ""),
        ("memcached.PyMemcacheCache", {}, ""),
    ],
)
def test_w002_limits_in_a_cache_that_forgets_or_does_not_count_atomically(
    backend: str, options: dict[str, Any], fault: str
) -> None:
    cache = {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": "x", **options}
    with override_settings(CACHES={"default": cache}):
        found = stores.check_throttle_cache(None)
    assert [message.id for message in found] == (["tessera.W002"] if fault else [])
    assert all(fault in message.msg for message in found)


@pytest.mark.slow
def test_w003_proxies_that_nobody_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "W003" in reported(deploy=True)
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 0)
    assert projects.check_proxies(None) == []


@pytest.mark.parametrize("fallbacks", [[None], [""], "abc", [b"x", 1], None])
def test_e015_fallbacks_that_anybody_could_guess(fallbacks: Any) -> None:
    with override_settings(SECRET_KEY_FALLBACKS=fallbacks):
        assert reported() == {"E015"}
        assert len(read_settings()[0].secrets) == (2 if fallbacks == [b"x", 1] else 1)
    with override_settings(SECRET_KEY_FALLBACKS=("an older key", b"and another")):
        assert reported() == set()


@pytest.mark.parametrize("name", ["nothing", "password", "groups", "is_active", "is_staff", "is_superuser"])
def test_e013_user_fields_that_no_token_can_carry(name: str) -> None:
    with override_settings(TESSERA={"USER_FIELDS": [name]}):
        assert reported() == {"E013"}


CACHE = "django.core.cache.backends."


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("locmem.LocMemCache", {"E014"}),
        ("dummy.DummyCache", {"E014"}),
        ("filebased.FileBasedCache", {"E014"}),
        ("db.DatabaseCache", {"E014"}),
        ("memcached.PyMemcacheCache", {"W004"}),
        ("redis.RedisCache", set()),
    ],
)
def test_e014_and_w004_caches_that_lose_news(backend: str, found: set[str]) -> None:
    caches = {
        "default": {"BACKEND": f"{CACHE}locmem.LocMemCache"},
        "news": {"BACKEND": CACHE + backend, "LOCATION": "x"},
    }
    with override_settings(CACHES=caches, TESSERA={"REVOCATION_CACHE": "news"}):
        assert {
            str(item.id).removeprefix("tessera.") for item in stores.check_revocation_cache(None)
        } == found


@pytest.mark.parametrize("where", ["OPTIONS", "DJANGO_REDIS_IGNORE_EXCEPTIONS"])
def test_e014_a_cache_that_hides_its_failures(where: str) -> None:
    news = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "x"}
    extra = {where: True} if where != "OPTIONS" else {}
    if where == "OPTIONS":
        news["OPTIONS"] = {"IGNORE_EXCEPTIONS": True}  # type: ignore[assignment]
    with override_settings(CACHES={"news": news}, TESSERA={"REVOCATION_CACHE": "news"}, **extra):
        assert [found.id for found in stores.check_revocation_cache(None)] == ["tessera.E014"]


class TestCookies:
    """E017 where settings contradict each other, E018, W005 and W006."""

    def test_e017_what_browsers_drop_without_secure(self) -> None:
        tessera = {"PROFILE": "browser", "COOKIE_SECURE": False, "COOKIE_SAMESITE": "None"}
        with override_settings(TESSERA=tessera):
            assert reported() == {"E017"}

    @pytest.mark.parametrize("path", [None, "/", "/api/", "/api/token/"])
    def test_e018_a_path_that_covers_the_views(self, path: str | None) -> None:
        with override_settings(TESSERA={"PROFILE": "browser", "COOKIE_PATH": path}):
            assert reported() == set()

    @pytest.mark.parametrize("path", ["/api/token/refresh/", "/token/", "/api/tok/"])
    def test_e018_a_path_that_does_not(self, path: str) -> None:
        with override_settings(TESSERA={"PROFILE": "browser", "COOKIE_PATH": path}):
            assert reported() == {"E018"}
        with override_settings(TESSERA={"PROFILE": "api", "COOKIE_PATH": path}):
            assert reported() == set()

    def test_e018_no_view_to_read_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("tests.planted_urls")
        module.urlpatterns = [path("login/", LoginView.as_view())]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tests.planted_urls", module)
        with override_settings(TESSERA={"PROFILE": "browser"}):
            with override_settings(ROOT_URLCONF="tests.planted_urls"):
                assert [found.id for found in projects.check_cookie_path(None)] == ["tessera.E018"]
            with override_settings(ROOT_URLCONF=None):
                assert projects.check_cookie_path(None) == []

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("number", "bad", "good"),
        [
            ("W005", {"COOKIE_SECURE": False}, {"COOKIE_SECURE": True}),
        ],
    )
    def test_weak_cookies_in_production(self, number: str, bad: dict[str, Any], good: dict[str, Any]) -> None:
        with override_settings(TESSERA={"PROFILE": ["api", "browser"], **bad}):
            assert number in reported(deploy=True)
            assert number not in reported()
        for fine in ({"PROFILE": "browser", **good}, {"PROFILE": "browser"}, {**bad, "PROFILE": "api"}):
            with override_settings(TESSERA=fine):
                assert number not in reported(deploy=True)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("origin", "weak"),
        [
            ("https://app.example.com", False),
            ("http://app.example.com", True),
            ("https://*.example.com", True),
        ],
    )
    def test_w006_origins_that_others_may_speak_for(self, origin: str, weak: bool) -> None:
        with override_settings(CSRF_TRUSTED_ORIGINS=[origin]):
            assert "W006" not in reported(deploy=True)
            with override_settings(TESSERA={"PROFILE": "browser"}):
                assert ("W006" in reported(deploy=True)) == weak


def name_nothing(request: Any) -> Any:
    return None


class TestTenants:
    """E030, E031, W020 and W021."""

    @pytest.mark.parametrize("value", ["nowhere.at_all", 5, name_nothing, lambda request: request.path])
    def test_e030_a_function_that_does_not_work(self, value: Any) -> None:
        with override_settings(TESSERA={"TENANT": value}):
            assert reported() == {"E030"}

    @pytest.mark.parametrize("value", [None, "", lambda request: "", "tests.tenants.routing.find_tenant"])
    def test_e030_a_function_that_works(self, value: Any) -> None:
        with override_settings(TESSERA={"TENANT": value}):
            assert reported() == set()

    @pytest.mark.parametrize("app", ["django_tenants", "django_tenants.apps.DjangoTenantsConfig"])
    def test_e031_sessions_outside_of_the_schemas_of_their_users(self, app: str, settings: Any) -> None:
        settings.TENANT_APPS = [get_user_model()._meta.app_config.name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tenants.django_settings, "INSTALLED_APPS", [app, "drf_tessera"])
            settings.TESSERA = {"TENANT": lambda request: ""}
            assert [str(found.id) for found in tenants.check_tenants(None)] == ["tessera.E031"]
            settings.TENANT_APPS = [*settings.TENANT_APPS, "drf_tessera.apps.TesseraConfig"]
            assert tenants.check_tenants(None) == []

    @pytest.mark.parametrize(
        "more",
        [
            {"DATABASE_ROUTERS": ["tests.tenants.routing.Router"], "INSTALLED_APPS": [], "MIDDLEWARE": []},
            {"MIDDLEWARE": ["tests.tenants.routing.choose_tenant"], "INSTALLED_APPS": []},
            {"INSTALLED_APPS": ["tests.accounts"], "MIDDLEWARE": []},
        ],
    )
    def test_w020_a_package_for_tenants_without_a_tenant(
        self, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        monkeypatch.setattr(tenants, "_TENANT_PACKAGES", frozenset({"tests"}))

        def list_ids() -> list[str]:
            return [str(found.id) for found in tenants.check_tenants(None)]

        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setattr(tenants.django_settings, name, value)
            assert list_ids() == ["tessera.W020"]
            for value in ("", lambda request: ""):
                with override_settings(TESSERA={"TENANT": value}):
                    assert list_ids() == []
            with override_settings(TESSERA={"TENANT": 5}):
                assert list_ids() == [], "E030 is enough"
        monkeypatch.setattr(tenants, "_TENANT_PACKAGES", frozenset())
        assert list_ids() == []

    @pytest.mark.parametrize(
        ("app", "is_known"),
        [
            ("tenant_schemas", True),
            ("tenant_users.permissions", True),
            ("django_multitenant", True),
            ("django_pgschemas", True),
            ("django_rls_tenants", True),
            ("django_omnitenant.apps.Config", True),
            ("tenants", False),  # an app of the project, perhaps about flats
            ("django_filters", False),
        ],
    )
    def test_w020_the_packages_that_are_known(
        self, app: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(tenants.django_settings, "INSTALLED_APPS", ["rest_framework", app])
            found = tenants.check_tenants(None)
        assert [str(item.id) for item in found] == ["tessera.W020"] * is_known

    def test_w021_tokens_that_name_no_tenant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with override_settings(TESSERA={"TENANT": lambda request: ""}):
            assert "W021" not in reported()
            monkeypatch.setitem(foreign._expecting, "legacy tokens", True)
            assert "W021" in reported()
        for ended in (
            {},
            {"TENANT": lambda request: "", "LEGACY_TOKENS_UNTIL": datetime(2020, 1, 1, tzinfo=UTC)},
        ):
            with override_settings(TESSERA=ended):
                assert "W021" not in reported()


@pytest.mark.slow
def test_i020_a_key_pair_and_an_issuer_that_verifiers_cannot_know() -> None:
    pair = {"KEYS": [{"alg": "EdDSA", "pem": write_private(ED25519)}]}
    with override_settings(TESSERA=pair):
        assert "I020" in reported(deploy=True)
        assert "I020" not in reported()
    secret = {"KEYS": [{"alg": "HS256", "secret": SECRET}]}
    for quiet in (secret, {**pair, "ISSUER": "https://api.example.com"}, {**pair, "ISSUER": 1}, {}):
        with override_settings(TESSERA=quiet):
            assert "I020" not in reported(deploy=True)


@pytest.mark.slow
def test_w007_tokens_of_another_package_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "W007" not in reported(deploy=True)
    monkeypatch.setitem(foreign._expecting, "legacy tokens", True)
    assert "W007" in reported(deploy=True)
    assert "W007" not in reported()
    for moment in (datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)):
        with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": moment}):
            assert "W007" not in reported(deploy=True)
    with override_settings(TESSERA={"LEGACY_TOKENS_UNTIL": "soon"}):
        assert "W007" not in reported(deploy=True)


class TestE022:
    """Django's upgrade of a hash has the signs that the receivers know it by."""

    def test_this_django_has_them(self) -> None:
        assert users.check_upgrades(None) == []

    def test_another_name_of_the_attribute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def check_password(self: Any, raw_password: str) -> Any:
            def setter(raw_password: str) -> None:
                self.set_password(raw_password)
                self._raw_password = None
                self.save(update_fields=["password"])

            return hashers.check_password(raw_password, self.password, setter)

        moved = FunctionType(check_password.__code__, {"hashers": hashers, "check_password": None})
        monkeypatch.setattr(AbstractBaseUser, "check_password", moved)
        assert reported() == {"E022"}

    def test_another_name_where_it_is_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def set_password(self: Any, raw_password: str | None) -> None:
            self.password = "hash"
            self._raw_password = raw_password

        monkeypatch.setattr(AbstractBaseUser, "set_password", set_password)
        assert reported() == {"E022"}

    def test_another_save(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def check_password(self: Any, raw_password: str) -> Any:
            self.set_password(raw_password)
            self._password = None
            self.save(update_fields=["password", "last_login"])

        monkeypatch.setattr(AbstractBaseUser, "check_password", check_password)
        assert reported() == {"E022"}


@pytest.mark.slow
def test_i001_a_user_that_is_loaded_on_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "I001" not in reported(deploy=True)

    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        models.Model.__init__(self, *args, **kwargs)

    monkeypatch.setattr(get_user_model(), "__init__", construct)
    assert "I001" in reported(deploy=True)
    assert "I001" not in reported()
    assert "django.contrib.auth.models.User defines __init__()" in users.check_loaded_user(None)[0].msg
    with override_settings(TESSERA={"USER": "database"}):
        assert users.check_loaded_user(None) == []
    with override_settings(TESSERA={"USER": "?"}):
        assert users.check_loaded_user(None) == []
