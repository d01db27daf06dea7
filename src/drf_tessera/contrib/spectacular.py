"""The schema of the endpoints for drf-spectacular.

The entry point ``spectacular`` of this package calls :func:`connect`, so a project has nothing to set. The
answers and their texts are in :mod:`drf_tessera.rest.answers`. ``extend_schema`` in the project takes
precedence over everything here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as Caution
from django.utils.translation import gettext as _
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as rest_framework_handler

from drf_tessera.conf import get_settings
from drf_tessera.http import offers_ambient, takes_body
from drf_tessera.rest.answers import (
    ANY,
    OURS,
    Answer,
    correct_body,
    describe_codes,
    describe_refusals,
    find_answers,
    find_text,
    list_access_problems,
    list_problems,
)
from drf_tessera.rest.authentication import JWTAuthentication
from drf_tessera.rest.clients import ClientAuthentication
from drf_tessera.rest.endpoints import BodyView, TokenView
from drf_tessera.rest.errors import exception_handler
from drf_tessera.rest.permissions import (
    TokenPermission,
    describe_scopes,
    judges_token,
    list_alternatives,
)
from drf_tessera.rest.schemes import (
    ACCESS_COOKIE,
    CLIENT,
    CSRF,
    REFRESH_COOKIE,
    SCHEME,
    describe_client,
    describe_csrf,
    describe_refresh_cookie,
    describe_set_cookie,
    list_access_schemes,
    require_cookie,
)
from drf_tessera.rest.serializers import (
    AnswerField,
    BodySerializer,
    SessionSerializer,
    UserSerializer,
)
from drf_tessera.rest.shapes import (
    ErrorSerializer,
    InvalidSerializer,
    LoginErrorSerializer,
    TextsField,
)
from drf_tessera.rest.views import LoginView, RefreshView, SessionDetailView

_Schema = dict[str, Any]
_Item = TypeVar("_Item")


def connect() -> None:
    """Register the extensions and the check, if drf-spectacular is installed."""
    if find_spec("drf_spectacular") is None:
        return
    register(check_schema_class, Tags.compatibility)
    _describe_authentication()
    _describe_views()
    _describe_fields()
    _describe_other_names()
    for kind in (BodySerializer, SessionSerializer, UserSerializer):
        _describe_bodies(kind)


def check_schema_class(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report W040: drf-spectacular is an app, but stops at the first view, because of its schema class."""
    from drf_spectacular.openapi import AutoSchema  # noqa: PLC0415 - may be absent

    chosen: Any = api_settings.DEFAULT_SCHEMA_CLASS
    if not apps.is_installed("drf_spectacular") or issubclass(chosen, AutoSchema):
        return []
    text = _("drf-spectacular is installed, but REST_FRAMEWORK['DEFAULT_SCHEMA_CLASS'] is not its class.")
    hint = _("Set REST_FRAMEWORK['DEFAULT_SCHEMA_CLASS'] to 'drf_spectacular.openapi.AutoSchema'.")
    return [Caution(text, hint=hint, id="tessera.W040")]


# -- Security schemes -------------------------------------------------------------------------------


def _describe_authentication() -> None:
    from drf_spectacular.drainage import set_override  # noqa: PLC0415 - may be absent
    from drf_spectacular.extensions import OpenApiAuthenticationExtension  # noqa: PLC0415 - the same

    # For a client all these classes are one scheme. drf-spectacular would warn about the common name.
    set_override(JWTAuthentication, "suppress_collision_warning", True)

    class TesseraScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = JWTAuthentication
        match_subclasses = True
        priority = -1  # an extension of the project for its own subclass comes first

        @property
        def name(self) -> str | list[str]:  # type: ignore[override]  # it depends on the settings
            return _unwrap([*list_access_schemes(type(self.target))])

        def get_security_definition(self, auto_schema: Any) -> _Schema | list[_Schema]:
            return _unwrap([*list_access_schemes(type(self.target)).values()])

        def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
            header, *in_cookies = list_access_schemes(type(self.target))
            kinds = getattr(auto_schema.view, "permission_classes", ())
            alternatives = list_alternatives(kinds)
            about = describe_scopes(alternatives) if judges_token(kinds) else ""
            told = alternatives if _takes_scopes() else [()]
            found: list[dict[str, list[Any]]] = [_Requirement({header: [*it]}, about) for it in told]
            return found + (require_cookie(ACCESS_COOKIE, auto_schema.method) if in_cookies else [])

    class ClientScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = ClientAuthentication
        match_subclasses = True
        name = CLIENT

        def get_security_definition(self, auto_schema: Any) -> _Schema:
            return describe_client()


def _describe_other_names() -> None:
    """Make one scheme of both classes of simplejwt, as drf-spectacular itself does, but without a warning."""
    from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme  # noqa: PLC0415 - may be absent
    from drf_spectacular.drainage import set_override  # noqa: PLC0415 - the same

    class Scheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
        priority = 1
        target_class = "rest_framework_simplejwt.authentication.JWTAuthentication"

        def get_security_requirement(self, auto_schema: Any) -> Any:
            set_override(type(self.target), "suppress_collision_warning", True)
            return super().get_security_requirement(auto_schema)

    class Stateless(Scheme):  # type: ignore[no-untyped-call]
        target_class = "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"


class _Requirement(dict[str, list[Any]]):
    """A requirement that carries the text about its scopes to :func:`add_refusals`.

    The path does not identify an operation there, because settings such as SCHEMA_PATH_PREFIX_TRIM change it.
    """

    def __init__(self, schemes: Mapping[str, list[Any]], about: str) -> None:
        super().__init__(schemes)
        self.about = about


def _takes_scopes() -> bool:
    """Return whether a requirement of a plain scheme may have scopes: since OpenAPI 3.1."""
    from drf_spectacular.settings import spectacular_settings  # noqa: PLC0415 - may be absent

    return not str(spectacular_settings.OAS_VERSION).startswith("3.0")


def _unwrap(found: list[_Item]) -> _Item | list[_Item]:
    """Return the only item, because the page of Swagger UI expects one name for one scheme."""
    return found if len(found) > 1 else found[0]


def add_refusals(result: _Schema, generator: Any, **kwargs: Any) -> _Schema:
    """Add the refusals of an access token to the project's own views. For ``POSTPROCESSING_HOOKS``.

    The endpoints of this package have these answers without this hook.
    """
    schemes = {SCHEME, ACCESS_COOKIE}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            ways = operation.get("security", [])
            if any(schemes & way.keys() for way in ways):
                problems = list_access_problems(anybody={} in ways, safe=method == "get")
                about = next((way.about for way in ways if isinstance(way, _Requirement)), "")
                if about:
                    problems.setdefault(403, {})[TokenPermission.code] = about
                describe_refusals(operation["responses"], problems)
    return result


# -- Bodies -----------------------------------------------------------------------------------------


def _describe_fields() -> None:
    from drf_spectacular.extensions import OpenApiSerializerFieldExtension  # noqa: PLC0415 - may be absent

    class Texts(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
        target_class = TextsField

        def map_serializer_field(self, auto_schema: Any, direction: Any) -> _Schema:
            text = {"type": "string"}
            return {"anyOf": [text, {"type": "array", "items": text}]}

    class Field(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
        target_class = AnswerField

        def map_serializer_field(self, auto_schema: Any, direction: Any) -> _Schema:
            return {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {}}]}


def _describe_bodies(parent: type[Any]) -> None:
    from drf_spectacular.drainage import has_override  # noqa: PLC0415 - may be absent
    from drf_spectacular.extensions import OpenApiSerializerExtension  # noqa: PLC0415 - the same

    class Body(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
        target_class = parent
        match_subclasses = True
        priority = -1

        def get_name(self, auto_schema: Any, direction: Any) -> str | None:
            # A project's subclass inherits the name in Meta, but two components need two names.
            kind = type(self.target)
            inherited = "Meta" not in vars(kind) and not has_override(self.target, "component_name")
            return kind.__name__ if inherited else None

        def map_serializer(self, auto_schema: Any, direction: Any) -> _Schema:
            self.target_class = self.target  # the parent's method describes the target class
            return correct_body(self.target, dict(super().map_serializer(auto_schema, direction)))


# -- Operations -------------------------------------------------------------------------------------


def _describe_views() -> None:
    from drf_spectacular.extensions import OpenApiViewExtension  # noqa: PLC0415 - may be absent

    class TesseraView(OpenApiViewExtension):  # type: ignore[no-untyped-call]
        target_class = TokenView
        match_subclasses = True
        priority = -1

        def view_replacement(self) -> Any:
            return _replace_view(self.target)


def _replace_view(view: Any) -> Any:
    """Return a subclass of a view whose schema is described here, below the schemas of the project."""
    from drf_spectacular.openapi import AutoSchema  # noqa: PLC0415 - may be absent

    own = type(view.schema)
    if not issubclass(own, AutoSchema):
        return view  # drf-spectacular says what is missing
    body: dict[str, Any] = {"schema": _describe_by(own)(), "__doc__": view.__doc__}
    for name in view.http_method_names:
        method = getattr(view, name, None)
        chosen = getattr(method, "kwargs", {}).get("schema")  # extend_schema on the method
        if method is not None and chosen is not None:
            body[name] = _copy_method(method)
            body[name].kwargs = {**method.kwargs, "schema": _describe_by(chosen)}
    return type(view.__name__, (view,), {**body, "__module__": view.__module__})


def _copy_method(method: Callable[..., Any]) -> Any:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:  # pragma: no cover - a schema calls no view
        return method(*args, **kwargs)

    return call


def _describe_by(kind: type[Any]) -> type[Any]:
    """Return a schema class with our descriptions, which come after those of the project for this view."""
    from drf_spectacular.openapi import AutoSchema  # noqa: PLC0415 - may be absent

    chosen: Any = api_settings.DEFAULT_SCHEMA_CLASS
    usual = (chosen if issubclass(kind, chosen) else AutoSchema).__mro__
    first = [parent for parent in kind.__mro__ if parent not in usual]
    return type(kind.__name__, (*first, _Described, *usual), {})


_STEPS: Final = re.compile(r"\w+")
_INNER_VARIABLE: Final = re.compile(r"\}.*/[^{/]")

_taken: WeakKeyDictionary[Any, dict[str, tuple[str, str]]] = WeakKeyDictionary()
"""The operation ids of each schema that is being made, with their path and method."""


class _Described:
    """The part of a schema class that describes the endpoints of this package."""

    view: Any
    method: str
    path: str
    registry: Any

    @property
    def answer(self) -> Answer | None:
        """The description of the method. ``None`` for a method that the project has added."""
        return find_answers(self.view).get(self.method.lower())

    def get_operation_id(self) -> str:
        """Return an id that no other endpoint of this package has, if the urls are included twice, too."""
        from drf_spectacular.settings import spectacular_settings  # noqa: PLC0415 - may be absent

        parent: Any = super()
        usual: str = parent.get_operation_id()
        if self.answer is None:
            return usual
        verb, action = self.answer.verb, parent.method_mapping[self.method.lower()]
        first = spectacular_settings.OPERATION_ID_METHOD_POSITION == "PRE"

        def write(steps: str) -> str:
            return f"{verb}_{steps}" if first else f"{steps}_{verb}"

        taken = _taken.setdefault(self.registry, {})
        place = (self.path, self.method)
        short = write(usual.removeprefix(f"{action}_") if first else usual.removesuffix(f"_{action}"))
        long = write("_".join(_STEPS.findall(self.path)))
        # A variable in the prefix, such as a tenant, belongs to the id, and drf-spectacular leaves it out.
        named = [] if _INNER_VARIABLE.search(self.path) else [short]
        ids = (*named, long, *(f"{long}_{number}" for number in range(2, 2 + len(taken))))
        found = next(it for it in ids if taken.get(it, place) == place)
        taken[found] = place
        return found

    def get_summary(self) -> Any:
        """Return a line about the endpoint."""
        parent: Any = super()
        return (self.answer.summary if self.answer else None) or parent.get_summary()

    def get_description(self) -> Any:
        """Return the text for API users, or the docstring of the project's own method or subclass."""
        parent: Any = super()
        text = self.answer.description if self.answer else ""
        return find_text(self.view, self.method) or text or parent.get_description()

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the ways to authenticate, with those tokens that the view reads by itself."""
        parent: Any = super()
        found: list[dict[str, list[str]]] = parent.get_auth()
        more: list[dict[str, list[str]]] = []
        if self.answer and self.answer.reads_header:
            schemes = list_access_schemes(JWTAuthentication)
            more.append({SCHEME: []})
            self._register({SCHEME: schemes[SCHEME]})
        if isinstance(self.view, BodyView) and self.view.reads_refresh_cookie and offers_ambient():
            self._register({REFRESH_COOKIE: describe_refresh_cookie(), CSRF: describe_csrf()})
            more += require_cookie(REFRESH_COOKIE, self.method)
            if isinstance(self.view, RefreshView) and not takes_body():
                found = [way for way in found if way]
        return more + found

    def get_request_serializer(self) -> Any:
        """Return the body. With ``CHALLENGE`` a login has two kinds: one for each step."""
        parent: Any = super()
        found = parent.get_request_serializer()
        if not self._is_challenged() or self.answer is None:
            return found
        kinds = (type(found), self.view.challenge_serializer_class)
        body = {"oneOf": [self._resolve(kind, "request") for kind in kinds]}
        return dict.fromkeys(parent.map_parsers(), body)

    def _is_challenged(self) -> bool:
        return get_settings().challenge is not None and isinstance(self.view, LoginView)

    def get_response_serializers(self) -> Any:
        """Return the success and the errors of the method."""
        from drf_spectacular.utils import OpenApiResponse  # noqa: PLC0415 - may be absent

        parent: Any = super()
        answer = self.answer
        if answer is None:
            return parent.get_response_serializers()
        success = OpenApiResponse(self._describe_success(answer), description=answer.about)
        found = {answer.status: success}
        if answer.nobody and offers_ambient():
            found[204] = OpenApiResponse(description=answer.nobody)
        for status, codes in list_problems(self.view, self.method, answer).items():
            about = " ".join(codes.values()) if answer.foreign else describe_codes(codes)
            found[status] = OpenApiResponse(self._describe_error(status, list(codes)), description=about)
        return found

    def get_override_parameters(self) -> Any:
        """Return the headers of the answers, and the part of the route that names a session."""
        parent: Any = super()
        answer = self.answer
        found = list(parent.get_override_parameters())
        return found if answer is None else found + self._list_headers(answer) + self._list_parameters()

    def _register(self, schemes: Mapping[str, _Schema]) -> None:
        from drf_spectacular.plumbing import ResolvedComponent  # noqa: PLC0415 - may be absent

        for name, schema in schemes.items():
            kind = ResolvedComponent.SECURITY_SCHEMA
            component = ResolvedComponent(name, kind, schema, JWTAuthentication)  # type: ignore[no-untyped-call]
            self.registry.register_on_missing(component)

    def _resolve(self, kind: type[BaseSerializer[Any]], direction: str = "response") -> _Schema:
        """Return a reference to the component of a serializer."""
        schema: Any = self
        found = schema.resolve_serializer(kind, direction)
        return found.ref if found else {}

    def _describe_success(self, answer: Answer) -> Any:
        if answer.foreign:
            names = [name.removesuffix("?") for name in answer.tokens]
            texts: _Schema = {name: {"type": "string"} for name in names}
            needed = [name for name in answer.tokens if not name.endswith("?")]
            return {"type": "object", "properties": texts, **({"required": needed} if needed else {})}
        if answer.serializer is None:
            return None
        if answer.user is None:
            return answer.serializer(many=True) if answer.many else answer.serializer
        user = {"type": "object", "properties": {"user": self._describe_user()}}
        return {
            "allOf": [
                self._resolve(answer.serializer),
                {**user, **({"required": ["user"]} if answer.user else {})},
            ]
        }

    def _describe_user(self) -> _Schema:
        kind = self.view.user_serializer_class
        shown = type(self.view).show_user is TokenView.show_user
        return self._resolve(kind) if shown and issubclass(kind, Serializer) else {}

    def _describe_error(self, status: int, codes: list[str]) -> _Schema:
        handler, foreign = self.view.get_exception_handler(), self.answer and self.answer.foreign
        if handler is exception_handler:
            challenged = status == 401 and self._is_challenged()
            kind = LoginErrorSerializer if challenged else ErrorSerializer
            found = self._resolve(InvalidSerializer if status == 400 else kind)
            # A serializer and a challenge of the project may refuse with a code of their own.
            own = getattr(self.view, "serializer_class", BodySerializer)
            if foreign or challenged or (status == 400 and own.__module__.partition(".")[0] != OURS):
                return found
            chosen = {"code": {"type": "string", "enum": codes}, **self.view.describe_oauth_error(status)}
            return {"allOf": [found, {"type": "object", "properties": chosen, "required": ["code"]}]}
        text = {"type": "string"}
        if foreign and handler is rest_framework_handler and status == 400:
            # The mistakes of each field, or the text ``detail``.
            return {
                "type": "object",
                "additionalProperties": {"anyOf": [text, {"type": "array", "items": text}]},
            }
        if foreign and handler is rest_framework_handler:
            texts = {"detail": text, "code": text}
            return {"type": "object", "properties": texts, "required": ["detail"]}
        return ANY

    def _list_headers(self, answer: Answer) -> list[Any]:
        from drf_spectacular.utils import OpenApiParameter  # noqa: PLC0415 - may be absent

        statuses = {*list_problems(self.view, self.method, answer)}
        by_us = self.view.get_exception_handler() in {exception_handler, rest_framework_handler}
        header = partial(OpenApiParameter, location=OpenApiParameter.HEADER, type=str)
        found = []
        if 401 in statuses and by_us:
            about = "The challenge (RFC 6750, section 3), with the reason of the refusal."
            found.append(header("WWW-Authenticate", response=[401], description=about, required=True))
        waits = [status for status in (429, 503) if status in statuses]
        if waits and by_us:
            about = "The number of seconds to wait before the next attempt."
            found.append(header("Retry-After", type=int, response=waits, description=about, required=True))
        about = describe_set_cookie(answer.cookies)
        if about:
            found.append(header("Set-Cookie", response=[answer.status], description=about))
        return found

    def _list_parameters(self) -> list[Any]:
        from drf_spectacular.utils import OpenApiParameter  # noqa: PLC0415 - may be absent

        if not isinstance(self.view, SessionDetailView) or "{session_id}" not in self.path:
            return []
        about = "The id of the session, from the list of sessions."
        return [OpenApiParameter("session_id", UUID, OpenApiParameter.PATH, description=about)]
