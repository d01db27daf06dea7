"""The schema of the endpoints for drf-spectacular.

The entry point ``spectacular`` of this package calls :func:`connect`, so a project has nothing to set. The
answers and their texts are in :mod:`drf_tessera.rest.answers`. ``extend_schema`` in the project takes
precedence over everything here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings as django_settings
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as rest_framework_handler

from drf_tessera.conf import AUTHORIZATION, HEADER, get_settings
from drf_tessera.http import name_cookies, offers_ambient
from drf_tessera.rest.answers import CLEARS, SETS, Answer, list_access_problems, list_problems
from drf_tessera.rest.authentication import JWTAuthentication
from drf_tessera.rest.endpoints import BodyView, TokenView
from drf_tessera.rest.errors import exception_handler
from drf_tessera.rest.serializers import (
    BodySerializer,
    ClaimsSerializer,
    ErrorSerializer,
    InvalidSerializer,
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    SessionSerializer,
    UserSerializer,
)
from drf_tessera.rest.throttling import account_fields
from drf_tessera.rest.views import RefreshView, SessionDetailView

SCHEME: Final = "tesseraAuth"
"""The name of the security scheme of the access token in the header."""
ACCESS_COOKIE: Final = "tesseraAccessCookie"
REFRESH_COOKIE: Final = "tesseraRefreshCookie"
CSRF: Final = "tesseraCsrf"

_Schema = dict[str, Any]
_Item = TypeVar("_Item")
_OURS: Final = __name__.partition(".")[0]
_ANY: Final = {"description": "The exception handler of the project writes this body."}
_CHECKED: Final = (
    "A browser sends the cookie by itself. A request that changes something must come from a page of the "
    "site: browsers prove this by the headers `Origin` and `Sec-Fetch-Site`. A client without these headers "
    f"sends Django's CSRF token, too (`{CSRF}`)."
)


def connect() -> None:
    """Register the extensions, if drf-spectacular is installed."""
    if find_spec("drf_spectacular") is None:
        return
    _describe_authentication()
    _describe_views()
    for kind in (BodySerializer, SessionSerializer, UserSerializer):
        _describe_bodies(kind)


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
            return _unwrap([*_list_access_schemes(type(self.target))])

        def get_security_definition(self, auto_schema: Any) -> _Schema | list[_Schema]:
            return _unwrap([*_list_access_schemes(type(self.target)).values()])

        def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
            header, *in_cookies = _list_access_schemes(type(self.target))
            found: list[dict[str, list[Any]]] = [{header: []}]
            return found + (_require_cookie(ACCESS_COOKIE, auto_schema.method) if in_cookies else [])


def _unwrap(found: list[_Item]) -> _Item | list[_Item]:
    """Return the only item, because the page of Swagger UI expects one name for one scheme."""
    return found if len(found) > 1 else found[0]


def _list_access_schemes(kind: type[Any]) -> dict[str, _Schema]:
    """Return the security schemes of an authentication class, by name."""
    settings = get_settings()
    # A subclass that reads the token from another place has a scheme with its own name.
    name = SCHEME if kind.get_header is JWTAuthentication.get_header else kind.__name__
    found = {name: _describe_header()}
    if settings.access_cookie:
        about = f"The access token in a cookie that no script can read. {_CHECKED}"
        found[ACCESS_COOKIE] = _describe_cookie(name_cookies()[1], about)
        found[CSRF] = _describe_csrf()
    return found


def _describe_header() -> _Schema:
    settings = get_settings()
    if (settings.header_name, settings.header_prefix) == (AUTHORIZATION, "Bearer"):
        about = "The access token of a login: the field `access` of its answer."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": about}
    about = f"The value is `{settings.header_prefix} <access token>`."
    return {"type": "apiKey", "in": "header", "name": settings.header_name, "description": about}


def _describe_cookie(name: str, about: str) -> _Schema:
    return {"type": "apiKey", "in": "cookie", "name": name, "description": about}


def _describe_csrf() -> _Schema:
    name = django_settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-").title()
    about = f"Django's CSRF token, which is also in the cookie `{django_settings.CSRF_COOKIE_NAME}`. Only a "
    about += "client that sends neither `Origin` nor `Sec-Fetch-Site` needs it."
    return {"type": "apiKey", "in": "header", "name": name, "description": about}


def _require_cookie(name: str, method: str) -> list[dict[str, list[Any]]]:
    """Return the alternatives of a request with a cookie: from a browser, and with the CSRF token."""
    return [{name: []}] if method == "GET" else [{name: []}, {name: [], CSRF: []}]


def add_refusals(result: _Schema, generator: Any, **kwargs: Any) -> _Schema:
    """Add the refusals of an access token to the project's own views. For ``POSTPROCESSING_HOOKS``.

    The endpoints of this package have these answers without this hook.
    """
    schemes = {SCHEME, ACCESS_COOKIE}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            ways = operation.get("security", [])
            if any(schemes & way.keys() for way in ways):
                _add_refusals(operation["responses"], anybody={} in ways, safe=method == "get")
    return result


def _add_refusals(answers: _Schema, *, anybody: bool, safe: bool) -> None:
    handler: Any = api_settings.EXCEPTION_HANDLER
    # The handler of REST framework writes no code for a request without a token.
    needed = ["detail", "code"] if handler is exception_handler else ["detail"]
    text = {"schema": {"type": "string"}, "required": True}
    headers = {401: {"WWW-Authenticate": text}, 503: {"Retry-After": text}}
    for status, codes in list_access_problems(anybody=anybody, safe=safe).items():
        fields = {"detail": {"type": "string"}, "code": {"type": "string", "enum": [*codes]}}
        body = {"type": "object", "properties": fields, "required": needed}
        known = handler in {exception_handler, rest_framework_handler}
        found = {
            "headers": headers.get(status, {}) if known else {},
            "content": {"application/json": {"schema": body if known else _ANY}},
            "description": _describe_codes(codes),
        }
        answers.setdefault(str(status), {name: part for name, part in found.items() if part})


# -- Bodies -----------------------------------------------------------------------------------------


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
            return _correct_body(self.target, dict(super().map_serializer(auto_schema, direction)))


def _correct_body(serializer: Any, found: _Schema) -> _Schema:
    """Return the schema of a serializer, with the rules that its fields do not tell."""
    if type(serializer).__module__.partition(".")[0] == _OURS:
        found.pop("description", None)  # it is for developers of the project
    fields: _Schema = found.get("properties", {})
    offered = get_settings().transports
    if isinstance(serializer, LoginSerializer):
        chosen = fields.pop("transport", {})
        if len(offered) > 1:
            # Not a plain enum: drf-spectacular would give it a name that the project may use already.
            kind = {"type": "string", "enum": list(offered)}
            fields["transport"] = {"allOf": [kind], "description": chosen.get("description", "")}
        names = [name for name in account_fields() if name in fields]
        if len(names) > 1:
            found["oneOf"] = [{"required": [name]} for name in names]
    if isinstance(serializer, RefreshSerializer | RevokeSerializer) and HEADER not in offered:
        fields.pop("refresh", None)
    if isinstance(serializer, ClaimsSerializer):
        found["additionalProperties"] = {}
    return found


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
        return self.view.answers.get(self.method.lower())  # type: ignore[no-any-return]

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
        return _find_text(self.view, self.method) or text or parent.get_description()

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the ways to authenticate, with those tokens that the view reads by itself."""
        parent: Any = super()
        found: list[dict[str, list[str]]] = parent.get_auth()
        more: list[dict[str, list[str]]] = []
        if self.answer and self.answer.reads_header:
            schemes = _list_access_schemes(JWTAuthentication)
            more.append({SCHEME: []})
            self._register({SCHEME: schemes[SCHEME]})
        if isinstance(self.view, BodyView) and self.view.reads_refresh_cookie and offers_ambient():
            about = f"The refresh token in a cookie that no script can read. {_CHECKED}"
            cookie = _describe_cookie(name_cookies()[0], about)
            self._register({REFRESH_COOKIE: cookie, CSRF: _describe_csrf()})
            more += _require_cookie(REFRESH_COOKIE, self.method)
            if isinstance(self.view, RefreshView) and HEADER not in get_settings().transports:
                found = [way for way in found if way]
        return more + found

    def get_response_serializers(self) -> Any:
        """Return the success and the errors of the method."""
        from drf_spectacular.utils import OpenApiResponse  # noqa: PLC0415 - may be absent

        parent: Any = super()
        answer = self.answer
        if answer is None:
            return parent.get_response_serializers()
        success = OpenApiResponse(self._describe_success(answer), description=answer.about)
        found = {answer.status: success}
        for status, codes in list_problems(self.view, self.method, answer).items():
            about = " ".join(codes.values()) if answer.foreign else _describe_codes(codes)
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

    def _resolve(self, kind: type[BaseSerializer[Any]]) -> _Schema:
        """Return a reference to the component of a serializer."""
        schema: Any = self
        found = schema.resolve_serializer(kind, "response")
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
            found = self._resolve(InvalidSerializer if status == 400 else ErrorSerializer)
            # A serializer of the project may refuse a body with a code of its own.
            own = getattr(self.view, "serializer_class", BodySerializer)
            if foreign or (status == 400 and own.__module__.partition(".")[0] != _OURS):
                return found
            chosen = {"code": {"type": "string", "enum": codes}}
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
        return _ANY

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
        if answer.cookies and offers_ambient():
            about = _COOKIES[answer.cookies].format(name_cookies()[0])
            if get_settings().access_cookie:
                about += f" The same happens to the cookie `{name_cookies()[1]}` of the access token."
            found.append(header("Set-Cookie", response=[answer.status], description=about))
        return found

    def _list_parameters(self) -> list[Any]:
        from drf_spectacular.utils import OpenApiParameter  # noqa: PLC0415 - may be absent

        if not isinstance(self.view, SessionDetailView) or "{session_id}" not in self.path:
            return []
        about = "The id of the session, from the list of sessions."
        return [OpenApiParameter("session_id", UUID, OpenApiParameter.PATH, description=about)]


_COOKIES: Final = {
    SETS: "If the session uses cookies: the cookie `{0}` of the refresh token is set.",
    CLEARS: "If the session used cookies: the cookie `{0}` is deleted.",
}


def _describe_codes(codes: Mapping[str, str]) -> str:
    """Return the text about the codes of one status, in Markdown."""
    return "\n".join(f"- `{code}`: {text}" for code, text in codes.items())


def _find_text(view: Any, method: str) -> str:
    """Return the docstring of the project's own method or subclass, or of a package with other names."""
    for kind in type(view).__mro__[1:]:  # the first class is that of the schema
        if kind.__module__.partition(".")[0] == _OURS:
            break
        text = getattr(vars(kind).get(method.lower()), "__doc__", None) or vars(kind).get("__doc__")
        if text:
            return inspect.cleandoc(text)
    return ""
