"""The schema of the endpoints for drf-spectacular.

The entry point ``spectacular`` of this package calls :func:`connect`, so a project has nothing to set.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from drf_tessera.conf import AUTHORIZATION, get_settings
from drf_tessera.rest import views
from drf_tessera.rest.authentication import JWTAuthentication, StrictJWTAuthentication
from drf_tessera.rest.serializers import SessionSerializer, UserSerializer

SCHEME: Final = "tesseraAuth"
"""The name of the security scheme of ``JWTAuthentication``. A subclass has a scheme with its own name."""

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}


def _make_object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


_ERROR: Final = _make_object({"detail": _TEXT, "code": _TEXT, "fields": {"type": "object"}}, "fields")
_USER: Final = _make_object(dict.fromkeys(("id", "username", "name", "email"), _TEXT))
_USER["properties"]["id"] = {"oneOf": [_NUMBER, _TEXT]}
_GRANT: Final = {
    "access": _TEXT,
    "refresh": _TEXT,
    "token_type": _TEXT,
    "expires_in": _NUMBER,
    "refresh_expires_in": _NUMBER,
    "session": {"type": "string", "format": "uuid"},
}
_OPTIONAL: Final = ("access", "refresh", "token_type")
"""Keys that a session with cookies does not have."""


def connect() -> None:
    """Register the extensions, if drf-spectacular is installed."""
    if find_spec("drf_spectacular") is None:
        return
    _describe_authentication()
    refused, ended = {401: _ERROR}, {200: _make_object({"revoked": _NUMBER}), 401: _ERROR}
    refused_body = {400: _ERROR, **refused}
    claims = _make_object({"claims": {"type": "object"}})
    revoked = _make_object({"revoked": {"type": "boolean"}})
    _describe(views.LoginView, post={**refused_body, 429: _ERROR}, granted="post")
    _describe(views.RefreshView, post=refused_body, granted="post", optional=("user",))
    _describe(views.VerifyView, post={200: claims, **refused_body})
    _describe(views.RevokeView, post={200: revoked, **refused_body})
    _describe(views.SessionListView, get={200: SessionSerializer(many=True), **refused}, delete=ended)
    _describe(views.OtherSessionsView, delete=ended)
    _describe(views.SessionDetailView, delete={204: None, 404: _ERROR, **refused})


def _describe_authentication() -> None:
    from drf_spectacular.extensions import OpenApiAuthenticationExtension  # noqa: PLC0415 - may be absent

    class TesseraScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = JWTAuthentication
        match_subclasses = True
        priority = -1  # an extension of the project for its own subclass comes first

        @property
        def name(self) -> str:  # type: ignore[override]  # a scheme of each class, and one name of each scheme
            kind = type(self.target)
            return SCHEME if kind is JWTAuthentication else kind.__name__

        def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
            settings = get_settings()
            if (settings.header_name, settings.header_prefix) == (AUTHORIZATION, "Bearer"):
                return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            told = f"The value is `{settings.header_prefix} <access token>`."
            return {"type": "apiKey", "in": "header", "name": settings.header_name, "description": told}


def _describe(
    view: type[Any], *, granted: str = "", optional: tuple[str, ...] = (), **methods: dict[int, Any]
) -> None:
    """Register the schema of a view's answers. The serializer of the view describes the request.

    Args:
        view: the view. The schema holds for its subclasses too.
        granted: the method whose answer has tokens and a user.
        optional: the keys that such an answer need not have.
        methods: the answers of each method.
    """
    from drf_spectacular.extensions import OpenApiViewExtension  # noqa: PLC0415 - may be absent
    from drf_spectacular.utils import extend_schema, extend_schema_view  # noqa: PLC0415

    class Described(OpenApiViewExtension):  # type: ignore[no-untyped-call]
        target_class = view
        match_subclasses = True
        priority = -1

        def view_replacement(self) -> Any:
            found = {
                name: dict(answers) | ({200: self._make_grant()} if name == granted else {})
                for name, answers in methods.items()
            }
            # drf-spectacular would give one name to the two methods that end sessions by DELETE.
            names = {"delete": "token_sessions_destroy_all"} if view is views.SessionListView else {}
            replaced = {
                name: extend_schema(operation_id=names.get(name), responses=answers)
                for name, answers in found.items()
            }
            # For a client the strict class is the same scheme.
            strict = {StrictJWTAuthentication: JWTAuthentication}
            kinds: list[Any] = self.target.authentication_classes
            body = {"authentication_classes": [strict.get(kind, kind) for kind in kinds]}
            return extend_schema_view(**replaced)(type(self.target.__name__, (self.target,), body))

        def _make_grant(self) -> dict[str, Any]:
            own = self.target.user_serializer_class is not UserSerializer
            user = {"type": "object"} if own else _USER
            return _make_object({**_GRANT, "user": user}, *_OPTIONAL, *optional)
