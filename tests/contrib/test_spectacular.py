"""drf-spectacular describes every endpoint and every authentication class without a warning."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db.models import UUIDField
from django.urls import include, path, re_path
from django.utils.module_loading import import_string
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.management.commands.spectacular import Command
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser
from rest_framework.response import Response
from rest_framework.schemas.openapi import AutoSchema as RestFrameworkSchema
from rest_framework.schemas.openapi import SchemaGenerator as RestFrameworkGenerator
from rest_framework.serializers import BaseSerializer, CharField, Serializer, ValidationError
from rest_framework.views import APIView
from rest_framework_jwt import views as jwt_views
from rest_framework_simplejwt import views as simplejwt_views

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, StrictJWTAuthentication, exceptions
from drf_tessera.contrib import spectacular
from drf_tessera.exceptions import TesseraError
from drf_tessera.http import find_view_class
from drf_tessera.rest import serializers, urls, views
from drf_tessera.rest.answers import describe_kind, list_children
from drf_tessera.rest.permissions import HasClaim, HasScope
from drf_tessera.rest.schemes import CLIENT, SCHEME
from tests.compat import jwt_urls, simplejwt_urls
from tests.contrib.schemas import CASES, GOLDEN, Case, configured, generate, write
from tests.contrib.urls import Shape

pytestmark = pytest.mark.once  # a schema needs no database


@pytest.fixture(autouse=True)
def _project(request: pytest.FixtureRequest) -> Iterator[None]:
    with configured(Case()):
        yield


def describe(*patterns: Any, **options: Any) -> dict[str, Any]:
    return generate(patterns=list(patterns), **options)


def mount(view: type[Any], place: str = "x/") -> dict[str, Any]:
    """Return the operations of a view at a place."""
    found: dict[str, Any] = describe(path(place, view.as_view()), path("other/", Plain.as_view()))["paths"]
    return found["/x/"]  # type: ignore[no-any-return]


class Plain(APIView):
    serializer_class = Shape

    def get(self, request: Any) -> None: ...


def list_codes(operation: dict[str, Any]) -> dict[str, list[str]]:
    """Return the codes of each status."""
    found = {}
    for status, answer in operation["responses"].items():
        parts = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("allOf", [])
        codes = parts[-1]["properties"].get("code", {}).get("enum") if parts else None
        if codes:
            found[status] = codes
    return found


def get_properties(found: dict[str, Any], name: str) -> dict[str, Any]:
    return found["components"]["schemas"][name]["properties"]  # type: ignore[no-any-return]


# -- The whole schema -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_schema_is_the_golden_file(name: str) -> None:
    golden = (GOLDEN / f"{name}.yaml").read_text()
    told = "The schema has changed. To renew the golden files: python -m tests.contrib.schemas"
    assert write(name) == golden, told


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_command_of_drf_spectacular_finds_nothing(name: str, tmp_path: Any) -> None:
    with configured(CASES[name]):
        GENERATOR_STATS.reset()
        file = tmp_path / "schema.yaml"
        call_command(Command(), validate=True, fail_on_warn=True, file=str(file))
        assert file.read_text().startswith("openapi:")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in {"simplejwt", "jwt"}])
def test_every_endpoint_and_each_of_its_methods_is_described(name: str) -> None:
    with configured(CASES[name]):
        found = generate()["paths"]
    for pattern in urls.urlpatterns:
        view = find_view_class(pattern.callback)
        address = "/api/token/" + str(pattern.pattern).replace("<str:session_id>", "{session_id}")
        methods = {name for name in ("get", "post", "delete") if hasattr(view, name)}
        assert found[address].keys() == methods
        for operation in found[address].values():
            assert operation["summary"]
            assert operation["description"]
            assert "``" not in str(operation)
            assert list_codes(operation).keys() == operation["responses"].keys() - {"200", "204"}
            refusal = operation["responses"]["401"]
            assert refusal["headers"]["WWW-Authenticate"]["required"] is True
            assert "Retry-After" in operation["responses"]["503"]["headers"]


ISSUERS: list[dict[str, str]] = [{"issuer": "https://issuer.example", "audience": "api"}]


@pytest.mark.slow
def test_tokens_of_other_issuers_add_their_codes() -> None:
    theirs = {"session_missing", "user_conflict", "issuer_unavailable"}
    for issuers, expected in (([], set()), (ISSUERS, theirs)):
        with configured(Case(tessera={"ISSUERS": issuers})):
            paths = generate()["paths"]
        found = list_codes(paths["/api/token/sessions/"]["get"])
        assert set().union(*found.values()) & theirs == expected
        assert not set().union(*list_codes(paths["/api/token/refresh/"]["post"]).values()) & theirs


@pytest.mark.slow
def test_every_code_that_can_be_answered_is_in_the_schema() -> None:
    found: dict[str, set[str]] = {}
    challenged = Case(tessera={"CHALLENGE": f"{__name__}.ask"})
    told = describe_kinds(mount_login(challenged))
    for name in ("api", "access_cookie"):
        case = replace(CASES[name], tessera={**CASES[name].tessera, "ISSUERS": ISSUERS})
        with configured(case):
            for operations in generate()["paths"].values():
                for operation in operations.values():
                    for status, codes in list_codes(operation).items():
                        found.setdefault(status, set()).update(codes)
    never = {"refused", "csrf_failed", "password_changed"}  # parents, and one that a login answers otherwise
    never |= {"insufficient_scope", "insufficient_user_authentication"}  # only views of projects answer these
    for kind in list_children(TesseraError):
        status = views_status(kind)
        assert status is None or kind.code in never or kind.code in found[str(status)] | told, kind


def mount_login(case: Case) -> str:
    """Return the text about the refusals of a login."""
    with configured(case):
        return str(mount(views.LoginView)["post"]["responses"]["401"]["description"])


def describe_kinds(text: str) -> set[str]:
    return set(re.findall(r"^- `(\w+)`", text, re.MULTILINE))


def views_status(kind: type[TesseraError]) -> int | None:
    from drf_tessera.http import find_status

    return find_status(kind)


@pytest.fixture
def odd() -> Iterator[type[TesseraError]]:
    """An error that a later version may have."""
    body = {
        "code": "refresh_odd",
        "__doc__": "Odd ``x``.\n\n    More.",
        "__module__": f"{exceptions.__name__}.odd",
    }
    kind = type("RefreshOdd", (exceptions.RefreshInvalid,), body)
    yield kind
    kind.__module__ = __name__  # pytest may keep the class, and other tests list the children of its parent


@pytest.mark.slow
def test_a_new_error_is_documented_by_itself(odd: type[TesseraError]) -> None:
    """The child belongs to the endpoints of its parent. The schema has no list of its own."""
    refresh, login = mount(views.RefreshView)["post"], mount(views.LoginView)["post"]
    assert "refresh_odd" in list_codes(refresh)["401"]
    assert "- `refresh_odd`: Odd `x`." in refresh["responses"]["401"]["description"]
    assert "refresh_odd" not in list_codes(login)["401"]


def test_without_docstrings_the_text_is_that_of_the_error() -> None:
    """The option -OO of Python drops docstrings."""
    kind = type("Own", (exceptions.RefreshInvalid,), {"code": "own"})
    assert describe_kind(kind) == kind.default_detail


def test_an_error_of_the_project_is_not_documented() -> None:
    kind = type("Own", (exceptions.Refusal,), {"code": "own"})
    assert kind not in set(list_children(TesseraError))


# -- Settings ---------------------------------------------------------------------------------------

PROFILES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"PROFILE": "api"},
        {
            "grant": {"access", "refresh", "token_type"},
            "optional": set(),
            "login": set(),
            "refresh": {"refresh"},
            "auth": [{}],
            "cookie": False,
            "403": False,
        },
    ),
    (
        {"PROFILE": "browser"},
        {
            "grant": {"access", "token_type"},
            "optional": set(),
            "login": set(),
            "refresh": set(),
            "auth": [{"tesseraRefreshCookie": []}, {"tesseraRefreshCookie": [], "tesseraCsrf": []}],
            "cookie": True,
            "403": True,
        },
    ),
    (
        {"PROFILE": ["api", "browser"]},
        {
            "grant": {"access", "refresh", "token_type"},
            "optional": {"refresh"},
            "login": {"transport"},
            "refresh": {"refresh"},
            "auth": [{"tesseraRefreshCookie": []}, {"tesseraRefreshCookie": [], "tesseraCsrf": []}, {}],
            "cookie": True,
            "403": True,
        },
    ),
    (
        {"PROFILE": "browser", "ACCESS_COOKIE": True},
        {
            "grant": set(),
            "optional": set(),
            "login": set(),
            "refresh": set(),
            "auth": [{"tesseraRefreshCookie": []}, {"tesseraRefreshCookie": [], "tesseraCsrf": []}],
            "cookie": True,
            "403": True,
        },
    ),
    (
        {"PROFILE": ["browser", "api"], "ACCESS_COOKIE": True},
        {
            "grant": {"access", "refresh", "token_type"},
            "optional": {"access", "refresh", "token_type"},
            "login": {"transport"},
            "refresh": {"refresh"},
            "auth": [{"tesseraRefreshCookie": []}, {"tesseraRefreshCookie": [], "tesseraCsrf": []}, {}],
            "cookie": True,
            "403": True,
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("tessera", "expected"), PROFILES, ids=lambda value: str(value.get("PROFILE", "")))
def test_the_shapes_follow_from_the_profile(tessera: dict[str, Any], expected: dict[str, Any]) -> None:
    with configured(Case(tessera=tessera)):
        found = describe(path("api/token/", include(urls)))
    grant = found["components"]["schemas"]["TesseraGrant"]
    tokens = {"access", "refresh", "token_type"}
    assert grant["properties"].keys() & tokens == expected["grant"]
    assert tokens - set(grant["required"]) == expected["optional"] | (tokens - expected["grant"])
    assert get_properties(found, "TesseraLogin").keys() & {"transport"} == expected["login"]
    assert get_properties(found, "TesseraRefresh").keys() & {"refresh"} == expected["refresh"]
    login, refresh = (found["paths"][f"/api/token/{place}"]["post"] for place in ("", "refresh/"))
    assert refresh["security"] == expected["auth"]
    assert ("Set-Cookie" in login["responses"]["200"].get("headers", {})) == expected["cookie"]
    assert ("403" in login["responses"]) == ("403" in refresh["responses"]) == expected["403"]
    assert "403" not in found["paths"]["/api/token/verify/"]["post"]["responses"]
    listed = found["paths"]["/api/token/sessions/"]
    assert "403" not in listed["get"]["responses"]
    refusals = str(listed["delete"]["responses"]["403"])
    assert "impersonated" in refusals
    assert ("csrf_token" in refusals) == bool(tessera.get("ACCESS_COOKIE"))
    assert ("tesseraAccessCookie" in str(listed["get"]["security"])) == bool(tessera.get("ACCESS_COOKIE"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
        ({"HEADER_PREFIX": "JWT"}, {"type": "apiKey", "in": "header", "name": "Authorization"}),
        ({"HEADER_NAME": "X-Authorization"}, {"type": "apiKey", "in": "header", "name": "X-Authorization"}),
    ],
)
def test_the_scheme_is_that_of_the_settings(chosen: dict[str, str], expected: dict[str, str]) -> None:
    with configured(Case(tessera=chosen)):
        schemes = generate()["components"]["securitySchemes"]
    assert schemes.keys() == {SCHEME, CLIENT}
    assert schemes[SCHEME] | expected == schemes[SCHEME]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({}, "__Secure-tessera_refresh_token"),
        ({"COOKIE_PATH": "/"}, "__Host-tessera_refresh_token"),
        ({"COOKIE_SECURE": False}, "tessera_refresh_token"),
    ],
)
def test_the_cookie_has_the_name_that_the_server_gives_it(chosen: dict[str, Any], name: str) -> None:
    with configured(Case(tessera={"PROFILE": "browser", **chosen})):
        assert generate()["components"]["securitySchemes"]["tesseraRefreshCookie"]["name"] == name


class Moved(JWTAuthentication):
    """A project's own, which reads the token from another place."""

    def get_header(self, request: Any) -> str | bytes | None:
        return None


class Child(JWTAuthentication):
    """A project's own, which finds the user in another way."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (JWTAuthentication, SCHEME),
        (StrictJWTAuthentication, SCHEME),
        (OptionalJWTAuthentication, SCHEME),
        (Child, SCHEME),
        (Moved, "Moved"),
    ],
)
def test_classes_that_read_the_same_header_are_one_scheme(kind: type[Any], name: str) -> None:
    own = type("View", (Plain,), {"authentication_classes": (kind,)})
    found = describe(path("x/", own.as_view()), path("api/token/", include(urls)))
    assert found["paths"]["/x/"]["get"]["security"][0] == {name: []}
    assert found["components"]["securitySchemes"].keys() == {name, SCHEME}


# -- Routes -----------------------------------------------------------------------------------------

MOUNTS: dict[str, list[Any]] = {
    "two prefixes": [path("api/token/", include(urls)), path("v2/token/", include(urls))],
    "a tenant": [path("<slug:tenant>/token/", include(urls)), path("token/", include(urls))],
    "two tenants": [path("<slug:a>/token/", include(urls)), path("<slug:b>/x/token/", include(urls))],
    "a regular expression": [re_path(r"^(?P<tenant>[a-z]+)/token/", include(urls))],
    "namespaces": [
        path("v1/token/", include((urls.urlpatterns, "tokens"), namespace="v1")),
        path("v2/token/", include((urls.urlpatterns, "tokens"), namespace="v2")),
    ],
    "the root": [path("", include(urls))],
    "alike": [path("a-b/", include(urls)), path("a_b/", include(urls)), path("a--b/", include(urls))],
}


@pytest.mark.long
@pytest.mark.parametrize("prefix", [None, "/api/v[0-9]", "/(api|v2)"])
@pytest.mark.parametrize("position", ["PRE", "POST"])
@pytest.mark.parametrize("patterns", MOUNTS.values(), ids=MOUNTS)
def test_urls_at_any_place_have_ids_of_their_own(
    patterns: list[Any], position: str, prefix: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectacular_settings, "SCHEMA_PATH_PREFIX", prefix)
    monkeypatch.setattr(spectacular_settings, "OPERATION_ID_METHOD_POSITION", position)
    found = describe(*patterns)["paths"]
    ids = [operation["operationId"] for it in found.values() for operation in it.values()]
    assert len(set(ids)) == len(ids) == 8 * len(patterns)


@pytest.mark.slow
def test_the_ids_are_readable() -> None:
    found = describe(path("api/token/", include(urls)), path("api/other/", Plain.as_view()))["paths"]
    assert {operation["operationId"] for it in found.values() for operation in it.values()} == {
        "other_retrieve",
        "token_create",
        "token_refresh_create",
        "token_verify_create",
        "token_revoke_create",
        "token_sessions_list",
        "token_sessions_destroy_all",
        "token_sessions_others_destroy",
        "token_sessions_destroy",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("URLPathVersioning", path("<str:version>/token/", include(urls))),
        ("NamespaceVersioning", path("token/", include((urls.urlpatterns, "x"), namespace="v1"))),
        ("AcceptHeaderVersioning", path("token/", include(urls))),
    ],
)
def test_versions(kind: str, pattern: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import rest_framework.versioning

    chosen = getattr(rest_framework.versioning, kind)
    monkeypatch.setattr(APIView, "versioning_class", chosen)
    found = describe(pattern, api_version="v1")["paths"]
    assert len(found) == 7
    operations = [operation for it in found.values() for operation in it.values()]
    assert all("401" in operation["responses"] for operation in operations)


@pytest.mark.slow
def test_the_session_in_the_route_is_an_id() -> None:
    found = describe(path("api/token/", include(urls)))["paths"]["/api/token/sessions/{session_id}/"]
    (parameter,) = found["delete"]["parameters"]
    assert (parameter["name"], parameter["schema"]["format"]) == ("session_id", "uuid")
    assert parameter["description"]


@pytest.mark.slow
def test_a_route_that_names_the_session_otherwise() -> None:
    found = describe(path("x/<uuid:pk>/", views.SessionDetailView.as_view()))["paths"]
    (parameter,) = next(iter(found.values()))["delete"]["parameters"]
    assert parameter["schema"]["format"] == "uuid"


# -- Subclasses of the project ----------------------------------------------------------------------


class Captcha(serializers.LoginSerializer):
    captcha = CharField()

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        raise ValidationError("Wrong letters.", code="captcha_wrong")


class EmailOnly(serializers.LoginSerializer):
    def get_fields(self) -> dict[str, Any]:
        return {name: field for name, field in super().get_fields().items() if name != "username"}


@pytest.mark.slow
def test_a_serializer_of_the_project() -> None:
    class Login(views.LoginView):
        serializer_class = Captcha

    found = describe(path("own/", Login.as_view()), path("api/token/", include(urls)))
    schemas = found["components"]["schemas"]
    assert "captcha" in schemas["Captcha"]["properties"]
    assert "captcha" not in schemas["TesseraLogin"]["properties"]
    own = found["paths"]["/own/"]["post"]
    # The project's serializer may have codes of its own.
    assert own["responses"]["400"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/TesseraInvalid"
    )
    assert list_codes(own)["401"] == ["login_failed"]


def test_a_serializer_of_the_project_with_one_name_of_the_account() -> None:
    class Login(views.LoginView):
        serializer_class = EmailOnly

    found = describe(path("own/", Login.as_view()))["components"]["schemas"]
    assert "oneOf" not in found["EmailOnly"]


def test_a_component_name_of_the_project() -> None:
    from drf_spectacular.utils import extend_schema_serializer

    named = extend_schema_serializer(component_name="Mine")(type("Own", (serializers.LoginSerializer,), {}))
    login = type("Login", (views.LoginView,), {"serializer_class": named})
    assert "Mine" in describe(path("own/", login.as_view()))["components"]["schemas"]


class Profile(Serializer[Any]):
    name = CharField()


class Odd(BaseSerializer[Any]):
    def to_representation(self, instance: Any) -> Any: ...


class Longer(serializers.UserSerializer):
    """A person."""


def get_user_schema(view: type[Any]) -> Any:
    answer = mount(view)["post"]["responses"]["200"]
    return answer["content"]["application/json"]["schema"]["allOf"][1]["properties"]["user"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (serializers.UserSerializer, {"$ref": "#/components/schemas/TesseraUser"}),
        (Profile, {"$ref": "#/components/schemas/Profile"}),
        (Longer, {"$ref": "#/components/schemas/Longer"}),
        (Odd, {}),
        (type("Nothing", (Serializer,), {}), {}),
    ],
)
def test_the_user_of_a_login(kind: type[Any], expected: dict[str, str]) -> None:
    login = type("Login", (views.LoginView,), {"user_serializer_class": kind})
    assert get_user_schema(login) == expected


def test_a_user_that_the_view_shows_by_itself() -> None:
    login = type("Login", (views.LoginView,), {"show_user": lambda self, user: {"x": 1}})
    assert get_user_schema(login) == {}


@pytest.mark.slow
def test_the_id_of_a_user_has_the_type_of_the_primary_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        class _meta:  # noqa: N801 - Django's name
            pk = UUIDField(primary_key=True)

    class Heir:
        class _meta:  # noqa: N801 - the same
            class pk:  # noqa: N801 - the same
                class remote_field:  # noqa: N801 - the same
                    model = Model

    for model in (Model, Heir):
        monkeypatch.setattr(serializers, "get_user_model", lambda model=model: model)
        found = describe(path("x/", views.LoginView.as_view()))
        assert get_properties(found, "TesseraUser")["id"]["type"] == "string"


@pytest.mark.slow
def test_a_docstring_of_the_project_is_the_description() -> None:
    class Documented(views.LoginView):
        """Log in to the shop."""

    class Method(views.LoginView):
        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            """Log in to the market."""
            return super().post(request, *args, **kwargs)

    class Silent(views.LoginView):
        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().post(request, *args, **kwargs)

    assert mount(Documented)["post"]["description"] == "Log in to the shop."
    assert mount(Method)["post"]["description"] == "Log in to the market."
    assert mount(Silent)["post"]["description"].startswith("Exchange")


@pytest.mark.slow
@pytest.mark.parametrize("on", ["the class", "the method"])
def test_extend_schema_of_the_project_takes_precedence(on: str) -> None:
    told = extend_schema(summary="Enter", tags=["shop"], operation_id=None if on == "the class" else "enter")

    class Method(views.LoginView):
        @told
        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().post(request, *args, **kwargs)

    view = told(type("Class", (views.LoginView,), {})) if on == "the class" else Method
    found = mount(view)["post"]
    assert (found["summary"], found["tags"]) == ("Enter", ["shop"])
    assert list_codes(found)["401"] == ["login_failed"]
    assert found["operationId"] == ("x_create" if on == "the class" else "enter")


def test_answers_of_the_project_take_precedence() -> None:
    class Own(views.LoginView):
        @extend_schema(responses={200: Shape})
        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().post(request, *args, **kwargs)

    assert mount(Own)["post"]["responses"].keys() == {"200"}


class OwnSchema(AutoSchema):
    def get_tags(self) -> list[str]:
        return ["own"]


@pytest.mark.slow
def test_the_schema_class_of_the_project_stays() -> None:
    with_own = type("Login", (views.LoginView,), {"schema": OwnSchema()})
    found = mount(with_own)["post"]
    assert found["tags"] == ["own"]
    assert list_codes(found)["401"] == ["login_failed"]
    path_of_own = f"{__name__}.OwnSchema"
    with configured(Case(), DEFAULT_SCHEMA_CLASS=path_of_own), pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIView, "schema", OwnSchema())
        found = mount(views.LoginView)["post"]
    assert found["tags"] == ["own"]
    assert list_codes(found)["401"] == ["login_failed"]


@pytest.mark.slow
def test_a_method_that_the_project_adds() -> None:
    class Login(views.LoginView):
        @extend_schema(responses={200: Shape}, operation_id="greet")
        def get(self, request: Any) -> None: ...

        @extend_schema(responses={200: Shape})
        def put(self, request: Any) -> None:
            """Return hello."""

        def patch(self, request: Any) -> None: ...

    found = mount(Login)
    assert found["get"]["responses"].keys() == {"200"}
    assert found["put"]["description"] == "Return hello."
    assert found["put"]["operationId"] == "x_update"
    assert found["patch"]["responses"].keys() == {"200"}  # what drf-spectacular itself finds
    assert found["post"]["summary"] == "Log in"


@pytest.mark.slow
def test_permissions_and_throttles_of_the_project() -> None:
    class Sessions(views.SessionListView):
        permission_classes = (IsAdminUser,)

    assert list_codes(mount(Sessions)["get"])["403"] == ["permission_denied"]
    assert "403" not in mount(views.SessionListView)["get"]["responses"]


def test_a_view_with_a_foreign_schema_class_is_left_alone() -> None:
    """drf-spectacular says what is missing."""
    view = type("Login", (views.LoginView,), {"schema": RestFrameworkSchema()})
    with pytest.raises(AssertionError, match="Incompatible AutoSchema"):
        mount(view)


# -- Error handlers ---------------------------------------------------------------------------------


def handle(exc: Exception, context: Any) -> Response | None:
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handler", "ours"),
    [
        ("rest_framework.views.exception_handler", True),
        ("drf_tessera.exception_handler", True),
        (f"{__name__}.handle", False),
        ("drf_standardized_errors.handler.exception_handler", False),
    ],
)
def test_the_body_of_an_error_belongs_to_its_handler(handler: str, ours: bool) -> None:
    with configured(Case(), EXCEPTION_HANDLER=handler):
        refusal = mount(views.LoginView)["post"]["responses"]["401"]
    assert ("login_failed" in str(refusal.get("content"))) == ours
    assert ("headers" in refusal) == ours
    assert "login_failed" in refusal["description"]


@pytest.mark.parametrize("module", [urls, simplejwt_urls, jwt_urls], ids=["native", "simplejwt", "jwt"])
def test_rest_framework_s_own_generator_works(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(APIView, "schema", RestFrameworkSchema())
    schema = RestFrameworkGenerator(title="x", patterns=list(module.urlpatterns)).get_schema(public=True)
    assert len(schema["paths"]) >= len(module.urlpatterns) - 1


# -- Packages in compat/ ----------------------------------------------------------------------------

SIMPLEJWT_VIEWS = [
    simplejwt_views.TokenObtainPairView,
    simplejwt_views.TokenRefreshView,
    simplejwt_views.TokenVerifyView,
    simplejwt_views.TokenBlacklistView,
    simplejwt_views.TokenObtainSlidingView,
    simplejwt_views.TokenRefreshSlidingView,
]
JWT_VIEWS = [jwt_views.ObtainJSONWebToken, jwt_views.RefreshJSONWebToken, jwt_views.VerifyJSONWebToken]


@pytest.mark.slow
@pytest.mark.parametrize("view", [*SIMPLEJWT_VIEWS, *JWT_VIEWS], ids=lambda view: view.__name__)
def test_the_description_of_a_view_of_another_package_is_its_docstring(view: Any) -> None:
    """A test that runs the original compares the docstrings of simplejwt's views."""
    found = describe(path("", view.as_view()))
    assert found["paths"]["/"]["post"]["description"] == inspect.getdoc(view)


@pytest.mark.slow
def test_serializers_of_simplejwt_have_no_description() -> None:
    found = describe(*(path(f"{view.__name__}/", view.as_view()) for view in SIMPLEJWT_VIEWS))
    told = [name for name, shape in found["components"]["schemas"].items() if "description" in shape]
    assert told == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handler", "shape"),
    [
        ("rest_framework.views.exception_handler", "detail"),
        ("drf_tessera.exception_handler", "TesseraError"),
        (f"{__name__}.handle", None),
    ],
)
@pytest.mark.parametrize("view", [SIMPLEJWT_VIEWS[0], JWT_VIEWS[0]], ids=["simplejwt", "jwt"])
def test_the_errors_of_other_names(view: Any, handler: str, shape: str | None) -> None:
    with configured(Case(), EXCEPTION_HANDLER=handler):
        answer = mount(view)["post"]["responses"]["429"]
    found = answer["content"]["application/json"]["schema"]
    assert (shape in str(found)) if shape else found.keys() == {"description"}


@pytest.mark.slow
def test_a_payload_handler_of_the_project_answers_any_object() -> None:
    view = JWT_VIEWS[0]
    for chosen, expected in (
        ({}, {"token"}),
        ({"JWT_RESPONSE_PAYLOAD_HANDLER": f"{__name__}.handle"}, set()),
    ):
        with configured(Case(more={"JWT_AUTH": chosen})):
            answer = mount(view)["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer["properties"].keys() == expected


def test_without_drf_spectacular_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectacular, "find_spec", lambda name: None)
    monkeypatch.setattr(spectacular, "_describe_authentication", None)
    spectacular.connect()


# -- The hook for the project's own views -----------------------------------------------------------

HOOKS = ["drf_spectacular.hooks.postprocess_schema_enums", "drf_tessera.contrib.spectacular.add_refusals"]


@pytest.fixture
def _hooked(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [import_string(path) for path in HOOKS]
    monkeypatch.setattr(spectacular_settings, "POSTPROCESSING_HOOKS", loaded)


OWN_HANDLERS: list[tuple[str, list[str] | None]] = [
    ("rest_framework.views.exception_handler", ["detail"]),
    ("drf_tessera.exception_handler", ["detail", "code"]),
    (f"{__name__}.handle", None),
]


@pytest.mark.slow
@pytest.mark.usefixtures("_hooked")
@pytest.mark.parametrize(("handler", "needed"), OWN_HANDLERS)
def test_the_hook_adds_the_refusals_of_a_token(handler: str, needed: list[str] | None) -> None:
    with configured(Case(), EXCEPTION_HANDLER=handler):
        found = generate()["paths"]
    own, public = (found[f"/api/{name}/"]["get"]["responses"] for name in ("own", "public"))
    assert own.keys() == {"200", "401", "503"}
    assert ("headers" in own["401"]) == ("headers" in own["503"]) == (needed is not None)
    body = own["401"]["content"]["application/json"]["schema"]
    assert body.get("required") == needed
    assert "- `token_expired`:" in own["401"]["description"]
    assert "`not_authenticated`" in own["401"]["description"]
    assert "`not_authenticated`" in public["401"]["description"]


@pytest.mark.usefixtures("_hooked")
def test_the_hook_knows_the_access_cookie_and_public_views() -> None:
    class Open(Plain):
        authentication_classes = (OptionalJWTAuthentication,)
        permission_classes = (AllowAny,)

        @extend_schema(responses={200: Shape, 401: Shape})
        def get(self, request: Any) -> None: ...

        def post(self, request: Any) -> None: ...

    class Foreign(Plain):
        authentication_classes = (SessionAuthentication,)

    with configured(CASES["access_cookie"]):
        found = describe(path("x/", Open.as_view()), path("y/", Foreign.as_view()))["paths"]
    read, written = found["/x/"]["get"]["responses"], found["/x/"]["post"]["responses"]
    assert read["401"]["description"] == ""  # the project's own
    assert "403" not in read
    assert "csrf_origin" in str(written["403"])
    assert "not_authenticated" not in str(written["401"])
    assert found["/y/"]["get"]["responses"].keys() == {"200"}


class Scoped(Plain):
    authentication_classes = (JWTAuthentication,)
    permission_classes = (HasScope("notes:read") & HasScope("notes:all") | HasScope("admin"),)

    def get(self, request: Any) -> None: ...


class Claimed(Scoped):
    permission_classes = (~HasClaim("guest", True) & HasScope("notes:read") | IsAdminUser,)


SCOPED = (path("x/", Scoped.as_view()), path("y/", Claimed.as_view()))


@pytest.mark.usefixtures("_hooked")
def test_the_hook_tells_the_scopes_of_a_view() -> None:
    with configured(Case(), EXCEPTION_HANDLER="drf_tessera.exception_handler"):
        found = describe(*SCOPED)["paths"]
    refusal = found["/x/"]["get"]["responses"]["403"]
    wanted = "`admin`, or `notes:all` and `notes:read`"
    assert refusal["description"].endswith(f"does not have the scopes that this request needs: {wanted}.")
    assert refusal["content"]["application/json"]["schema"]["properties"]["code"]["enum"] == [
        "insufficient_scope"
    ]
    assert refusal["headers"]["WWW-Authenticate"]["required"] is True
    refusal = found["/y/"]["get"]["responses"]["403"]
    assert refusal["description"].endswith("the scopes or claims that this request needs.")
    # OpenAPI 3.0 allows scopes only for OAuth and OpenID Connect.
    assert found["/x/"]["get"]["security"] == [{SCHEME: []}]


@pytest.mark.usefixtures("_hooked")
@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"SCHEMA_PATH_PREFIX": "/api/v1", "SCHEMA_PATH_PREFIX_TRIM": True}, "/x/"),
        ({"SCHEMA_PATH_PREFIX": "/api/v1", "SCHEMA_PATH_PREFIX_INSERT": "/gate"}, "/gate/api/v1/x/"),
        ({"CAMELIZE_NAMES": True}, "/api/v1/x/"),
    ],
)
def test_the_scopes_follow_a_path_that_the_schema_changes(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], address: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setattr(spectacular_settings, name, value)
    found = describe(path("api/v1/x/", Scoped.as_view()), path("api/v1/y/", Claimed.as_view()))["paths"]
    assert "`notes:all` and `notes:read`" in found[address]["get"]["responses"]["403"]["description"]
    assert type(found[address]["get"]["security"][0]) is dict


@pytest.mark.usefixtures("_hooked")
def test_the_challenge_of_a_csrf_failure_is_not_promised() -> None:
    class Written(Scoped):
        def post(self, request: Any) -> None: ...

    with configured(CASES["access_cookie"]):
        refusal = describe(path("x/", Written.as_view()))["paths"]["/x/"]["post"]["responses"]["403"]
    assert {"csrf_origin", "insufficient_scope"} <= set(re.findall(r"`(\w+)`:", refusal["description"]))
    assert refusal["headers"]["WWW-Authenticate"]["required"] is False


@pytest.mark.slow
def test_the_requirement_has_the_scopes_since_openapi_3_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectacular_settings, "OAS_VERSION", "3.1.0")
    found = describe(*SCOPED)["paths"]
    assert found["/x/"]["get"]["security"] == [{SCHEME: ["admin"]}, {SCHEME: ["notes:all", "notes:read"]}]
    assert found["/y/"]["get"]["security"] == [{SCHEME: []}, {SCHEME: ["notes:read"]}]


@pytest.mark.slow
def test_an_endpoint_of_ours_may_need_a_scope() -> None:
    class Sessions(views.SessionListView):
        permission_classes = (HasScope("sessions"),)

    answers = mount(Sessions)["get"]["responses"]
    assert "needs: `sessions`." in answers["403"]["description"]
    assert "insufficient_scope" in str(answers["403"]["content"])


@pytest.mark.slow
@pytest.mark.usefixtures("_hooked")
def test_the_hook_leaves_our_endpoints_alone() -> None:
    found = generate()["paths"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectacular_settings, "POSTPROCESSING_HOOKS", [import_string(HOOKS[0])])
        before = generate()["paths"]
    assert {name: it for name, it in found.items() if "token" in name} == {
        name: it for name, it in before.items() if "token" in name
    }


# -- A second step of the login ---------------------------------------------------------------------


IDLE = timedelta(days=60)


def ask(request: Any, user: Any) -> None: ...


@pytest.mark.slow
def test_the_second_step_of_a_login_is_described() -> None:
    with configured(Case(tessera={"CHALLENGE": f"{__name__}.ask", "REMEMBER_ME": (IDLE, IDLE)})):
        found = describe(path("x/", views.LoginView.as_view()), path("y/", views.VerifyView.as_view()))
    login = found["paths"]["/x/"]["post"]
    bodies = login["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert bodies == [{"$ref": f"#/components/schemas/Tessera{name}"} for name in ("Login", "Challenge")]
    assert get_properties(found, "TesseraChallenge").keys() == {"ticket", "answer"}
    assert "remember" in get_properties(found, "TesseraLogin")
    refusal = login["responses"]["401"]
    body = refusal["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/TesseraLoginError"}
    assert get_properties(found, "TesseraLoginError").keys() == {"detail", "code", "challenge", "ticket"}
    codes = ("login_failed", "login_refused", "challenge_required", "challenge_failed", "ticket_invalid")
    assert all(f"`{code}`" in refusal["description"] for code in codes)


@pytest.mark.slow
def test_without_a_challenge_a_login_has_one_step() -> None:
    found = mount(views.LoginView)["post"]
    assert list_codes(found)["401"] == ["login_failed"]
    assert "login_busy" in list_codes(found)["503"]
    assert "login_busy" not in list_codes(mount(views.RefreshView)["post"])["503"]


def test_a_body_that_the_project_describes_stays_with_a_challenge() -> None:
    class Own(views.LoginView):
        @extend_schema(request=Shape)
        def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().post(request, *args, **kwargs)

    with configured(Case(tessera={"CHALLENGE": f"{__name__}.ask"})):
        body = mount(Own)["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Shape"}


# -- The check --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installed", "chosen", "expected"),
    [
        (False, "rest_framework.schemas.openapi.AutoSchema", False),
        (True, "rest_framework.schemas.openapi.AutoSchema", True),
        (True, "drf_spectacular.openapi.AutoSchema", False),
        (True, "drf_standardized_errors.openapi.AutoSchema", False),  # a subclass
    ],
)
def test_w040_drf_spectacular_without_its_schema_class(
    settings: Any, installed: bool, chosen: str, expected: bool
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_SCHEMA_CLASS": chosen}
    if installed:
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "drf_spectacular"]
    assert ("tessera.W040" in {message.id for message in run_checks()}) == expected
