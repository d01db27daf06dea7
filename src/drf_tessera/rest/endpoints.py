"""The parents of the views. All endpoints for tokens have these parts in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, transaction
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as drf
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.settings import api_settings
from rest_framework.utils.formatting import markup_description
from rest_framework.utils.serializer_helpers import ReturnDict
from rest_framework.views import APIView
from rest_framework.views import exception_handler as rest_framework_handler

from drf_tessera.conf import enter_tenant
from drf_tessera.exceptions import (
    CookieAmbiguous,
    Refusal,
    RequestError,
    TesseraError,
    Unauthenticated,
)
from drf_tessera.http import (
    delete_stray_cookies,
    find_cookie_path,
    remember_failure,
    set_language,
    to_ascii,
)
from drf_tessera.limits import TokenRequest
from drf_tessera.rest.answers import OURS, Answer
from drf_tessera.rest.errors import (
    PayloadTooLarge,
    add_code,
    exception_handler,
    translate_own_error,
    write_challenge,
)
from drf_tessera.rest.requests import find_client, get_django_request
from drf_tessera.rest.serializers import (
    UserSerializer,
)
from drf_tessera.sessions import acting_for
from drf_tessera.tokens import (
    REFRESH_PREFIX,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)

MAX_BODY_BYTES: Final = 65_536
"""The largest body that the endpoints accept. The limit is here, because REST framework has none."""

_Classes = tuple[type[Any], ...]

_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class TokenView(APIView):
    """The parent of all token endpoints: open to anybody, never cached, errors with codes, 401 and not 403.

    The view runs outside the request's transaction (``ATOMIC_REQUESTS``). Otherwise a refusal would roll back
    the end of a stolen session. :meth:`as_view` arranges this, so subclasses inherit it.
    """

    authentication_classes: _Classes = ()
    permission_classes: _Classes = (AllowAny,)
    throttle_classes: _Classes = ()
    reads_refresh_cookie = False
    """Whether a browser has to send the refresh cookie to this view. The cookie's path follows from this."""
    user_serializer_class: type[BaseSerializer[AbstractBaseUser]] = UserSerializer
    """The serializer for the ``user`` of a response. To choose another serializer, subclass the view."""
    answers: Mapping[str, Answer] = {}
    """The answers of each method, by its name in small letters, for generators of schemas."""
    oauth_errors: Mapping[int, str] = {}
    """The ``error`` of RFC 6749, section 5.2, by status. Only endpoints for OAuth clients have one."""
    token_request: TokenRequest | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, which runs outside the request's transaction."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that is too large, or whose charset could decompress it, before a byte is parsed.

        Every form field is secret, so Django's error reports hide all of them.
        """
        enter_tenant(get_django_request(request))
        # Django's own decorator sets the same attribute, but only on views that take Django's request.
        get_django_request(request).sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]
        if _read_length(request) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        if (get_django_request(request).encoding or "utf-8").lower() not in _CHARSETS:
            raise _refuse_media_type()
        try:
            super().initial(request, *args, **kwargs)
            if request.method == "POST":
                # Parse here, so that every error of the parser is answered here. Authentication backends
                # receive Django's request. Some of them read a captcha or a code there.
                get_django_request(request).data = request.data  # type: ignore[attr-defined]
        except drf.ParseError:
            # REST framework's own text has parts of the body or of the headers.
            raise drf.ParseError(_("The body cannot be read.")) from None
        except drf.UnsupportedMediaType:
            raise _refuse_media_type() from None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the answer. Records of the audit trail say where the request comes from."""
        with acting_for(partial(find_client, request)):
            return super().dispatch(request, *args, **kwargs)

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse a method. REST framework's own text has the method, which may be any word."""
        raise drf.MethodNotAllowed("", detail=_("This method is not allowed here."))

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caches to store the response (RFC 6749, section 5.1).

        The page that REST framework renders for a browser shows the fields of a serializer again, passwords
        too. So the serializer is taken off the errors.
        """
        if isinstance(getattr(response, "data", None), ReturnDict):
            response.data = dict(response.data)
        answer = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(answer)
        answer.headers.setdefault("Pragma", "no-cache")
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        """Return the answer to an error: ``{"detail", "code"}``, or what the project's own handler writes."""
        if isinstance(exc, TesseraError):
            remember_failure(get_django_request(self.request), exc)
        found = translate_own_error(exc)
        answer = super().handle_exception(found)
        add_code(answer, found)
        self._add_oauth_error(answer, exc)
        set_language(answer)
        if isinstance(exc, CookieAmbiguous):
            delete_stray_cookies(get_django_request(self.request), answer, find_cookie_path())
        return answer

    def _add_oauth_error(self, answer: Response, exc: Exception) -> None:
        """Add the members that OAuth clients read, to a body of the usual form."""
        error, body = self.oauth_errors.get(answer.status_code), answer.data
        if error is not None and isinstance(body, dict) and {"detail", "code"} <= body.keys():
            body.update({"error": error, "error_description": to_ascii(_describe_in_english(exc))})

    def describe_oauth_error(self, status: int) -> dict[str, Any]:
        """Return the schema of the members that OAuth clients read. Empty if an answer has none."""
        error = self.oauth_errors.get(status)
        text = {"type": "string"}
        return {"error": {**text, "enum": [error]}, "error_description": text} if error else {}

    def count_for(self, session_id: UUID) -> None:
        """Count the request for the session of its authentic token, and not for its address.

        Raises:
            TooManyAttempts: the limit of the session is reached.
        """
        if self.token_request is not None:
            self.token_request.count_for(session_id)

    @sensitive_variables()
    def count_token(self, token: object) -> None:
        """Count the request for the session of a token, if the token is authentic and ours. No query.

        Raises:
            TooManyAttempts: the limit of the session is reached.
        """
        if self.token_request is None or not isinstance(token, str):
            return
        try:
            if token.startswith(REFRESH_PREFIX):
                session_id = read_refresh_token(token).facts.session_id
            else:
                credentials = f"count\n{token}"  # a header cannot contain a newline
                found = recall_access_token(credentials) or verify_access_token(
                    token, credentials=credentials
                )
                session_id = found.session_id
        except Refusal:
            return  # the flow refuses the token for the same reason
        self.count_for(session_id)

    def show_user(self, user: AbstractBaseUser) -> Any:
        """Return the ``user`` of a response, as the serializer of this view writes it."""
        return self.user_serializer_class(user, context={"request": self.request, "view": self}).data

    def get_view_description(self, html: bool = False) -> str:
        """Return the texts for API users. Docstrings of ours are for developers, a project's for users."""
        if type(self).__module__.partition(".")[0] != OURS or hasattr(self, "description"):
            return super().get_view_description(html)
        told = {method.upper(): answer.description for method, answer in self.answers.items()}
        names = len(told) > 1
        text = "\n\n".join(f"{method}: {about}" if names else about for method, about in told.items())
        return str(markup_description(text)) if html else text

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge. With a challenge, REST framework answers a refusal with 401 and not 403."""
        return write_challenge(request)


class EndpointView(TokenView):
    """The parent of the endpoints of this package: the bodies have the same keys in every project.

    A client for all projects, such as ``client.js``, reads these bodies. So they are JSON even if the
    project's own renderer renames the keys or wraps the data, and a request is read as JSON or as a form. A
    subclass may name other ``renderer_classes`` and ``parser_classes``. The browsable API stays, if the
    project has it.

    The project's own clients may ask for another kind of JSON, or for a media type of the project's own
    renderers. The answer is JSON then, too. If the project has a parser for another kind of JSON, such as
    JSON:API, that parser reads the requests of its media type.
    """

    renderer_classes: _Classes = (JSONRenderer,)
    parser_classes: _Classes = (JSONParser, FormParser, MultiPartParser)

    def get_renderers(self) -> list[Any]:
        """Return the renderers of this class, and the browsable API if it is a default of the project."""
        # Any: for the stubs these are texts, and REST framework has imported the classes
        chosen: Any = api_settings.DEFAULT_RENDERER_CLASSES or ()
        pages = [kind for kind in chosen if issubclass(kind, BrowsableAPIRenderer)]
        return [kind() for kind in (*self.renderer_classes, *pages)]

    def get_parsers(self) -> list[Any]:
        """Return the parsers of this class, and the project's own parsers for other kinds of JSON."""
        chosen: Any = api_settings.DEFAULT_PARSER_CLASSES or ()
        known = {kind.media_type for kind in self.parser_classes}
        more = [kind for kind in chosen if issubclass(kind, JSONParser) and kind.media_type not in known]
        return [kind() for kind in (*self.parser_classes, *more)]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return the renderer of the answer, which is JSON if the request asks for a relative of JSON."""
        # The stubs know neither the errors nor that REST framework passes a request of its own.
        return super().perform_content_negotiation(request, force or _asks_for_relative(request))

    def get_exception_handler(self) -> Any:
        """Return the handler of the project. In place of REST framework's own handler, return ours."""
        chosen = super().get_exception_handler()
        return exception_handler if chosen is rest_framework_handler else chosen


class BodyView(EndpointView):
    """The parent of the endpoints that read a body. ``serializer_class`` describes the body.

    A subclass may name a serializer with more fields, for example for a captcha.
    """

    serializer_class: type[Serializer[Any]] = Serializer

    @sensitive_variables()
    def get_serializer(self, *args: Any, **credentials: Any) -> Serializer[Any]:
        """Return the serializer. The browsable API and generators of schemas ask for it, too."""
        credentials.setdefault("context", self.get_serializer_context())
        return self.serializer_class(*args, **credentials)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what REST framework's generic views pass to their serializers."""
        return {"request": self.request, "view": self, "format": self.format_kwarg}

    @sensitive_variables()
    def read_body(self) -> dict[str, Any]:
        """Return the valid values of the body."""
        credentials = self.get_serializer(data=self.request.data)
        credentials.is_valid(raise_exception=True)
        return cast("dict[str, Any]", credentials.validated_data)


def _asks_for_relative(request: Request) -> bool:
    """Return whether the request accepts another kind of JSON, or a type of the project's own renderers."""
    chosen: Any = api_settings.DEFAULT_RENDERER_CLASSES or ()
    known = {kind.media_type for kind in chosen}
    accepted = [
        item.partition(";")[0].strip().lower() for item in request.headers.get("Accept", "").split(",")
    ]
    return any(name in known or name.endswith("+json") for name in accepted)


def _describe_in_english(exc: Exception) -> str:
    """Return the English text of an error. RFC 6749, section 5.2, allows only ASCII in a description."""
    if isinstance(exc, TesseraError):
        return str(exc)
    kind = Unauthenticated if isinstance(exc, drf.NotAuthenticated) else RequestError
    return kind.default_detail  # REST framework has translated its own text


def _refuse_media_type() -> drf.UnsupportedMediaType:
    """Return a 415. REST framework's own text has the media type of the request."""
    return drf.UnsupportedMediaType("", detail=_("Send JSON or a form, in UTF-8."))


def _read_length(request: Request) -> int:
    """Return the length of the body. REST framework does not read a body without a Content-Length."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise drf.ParseError(_("The Content-Length header is not a number.")) from None
