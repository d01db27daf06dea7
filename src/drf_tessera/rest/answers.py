"""The answers of each endpoint: the serializers, the errors with their codes, and the texts for API users.

Generators of schemas read this. No request does. The codes are those of :mod:`drf_tessera.exceptions`: an
endpoint names the parents of its errors, and a new child of such a parent belongs to the endpoint, too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any, Final

from django.conf import settings as django_settings
from rest_framework import exceptions as drf
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.serializers import BaseSerializer
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as rest_framework_handler

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    ChallengeFailed,
    ChallengeRequired,
    ClientInvalid,
    CsrfFailed,
    EmailLoginUnavailable,
    HeaderMalformed,
    Impersonated,
    IssuerUnavailable,
    LoginBusy,
    LoginFailed,
    LoginRefused,
    PasswordChanged,
    PersonalTokensFull,
    ProofNeeded,
    RefreshContended,
    RefreshMissing,
    Refusal,
    RequestError,
    ScopeUnavailable,
    SessionEnded,
    SessionMissing,
    SessionNotFound,
    TemporarilyUnavailable,
    TesseraError,
    TicketInvalid,
    TokenError,
    TokenMissing,
    TooManyAttempts,
    TransportUnavailable,
    UserConflict,
    UserGone,
    UserInactive,
)
from drf_tessera.http import find_status, offers_ambient, takes_body
from drf_tessera.rest.errors import PayloadTooLarge, exception_handler
from drf_tessera.rest.permissions import (
    TokenPermission,
    describe_scopes,
    judges_token,
    list_alternatives,
)
from drf_tessera.rest.schemes import CLEARS, SETS, SETS_ACCESS
from drf_tessera.rest.serializers import (
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    SessionSerializer,
)
from drf_tessera.rest.shapes import (
    ChallengeKindSerializer,
    ClaimsSerializer,
    GrantSerializer,
    IntrospectedSerializer,
    IssuedTokenSerializer,
    RefreshedSerializer,
    RevokedCountSerializer,
    RevokedSerializer,
    TicketSerializer,
    VerifiedSerializer,
)
from drf_tessera.rest.throttling import account_fields

OURS: Final = __name__.partition(".")[0]
"""The name of this package."""

Errors = tuple[type[TesseraError], ...]
Problems = dict[int, dict[str, str]]
"""The text of each code, for each status."""

_ROOM: Final = TesseraError.__module__.rpartition(".")[0]
"""The package of all errors of this package."""

_NEVER_RAISED: Final[Errors] = (Refusal, CsrfFailed)
"""The parents of errors. Only their children are answered."""

ANY: Final = {"description": "The exception handler of the project writes this body."}
_ANONYMOUS: Final = "The request has no access token."
_NAMELESS: Final = "The request has no name and no secret of a client."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answers of one method of a view. ``answers`` of the view has one for each method."""

    summary: str = ""
    description: str = ""
    """A text for API users, in Markdown."""
    verb: str
    """The end of the operation's id."""
    status: int = 200
    about: str = ""
    """A text about the success."""
    nobody: str = ""
    """A text about the answer 204 to a page that asks whether anybody is logged in."""
    serializer: type[BaseSerializer[Any]] | None = None
    foreign: bool = False
    """Whether the bodies are those of another package, whose errors have no fixed codes."""
    tokens: tuple[str, ...] = ()
    """For ``foreign``: the texts in the body. ``?`` after a name means that some bodies do not have it."""
    refused: int = 401
    """For ``foreign``: the status of a refusal."""
    many: bool = False
    user: bool | None = None
    """Whether the body has a ``user``: always, sometimes (``False``), or never (``None``)."""
    reads_header: bool = False
    """Whether a view without authentication classes reads an access token from the header."""
    cookies: str = ""
    """A text about the cookies of a success (:func:`~drf_tessera.rest.schemes.describe_set_cookie`)."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Further codes of status 400, with their texts."""
    errors: Errors = ()
    """The errors. Each class stands for its children, too."""
    except_: Errors = ()
    """The errors that do not occur although a parent of them is in ``errors``."""


_ACCESS: Final[Errors] = (TokenError, HeaderMalformed, SessionEnded, UserGone, UserInactive, UserConflict)
"""The refusals of an access token in a request."""

_FOREIGN: Final[Errors] = (SessionMissing, UserConflict, IssuerUnavailable)
"""The errors that only tokens of other issuers cause (``ISSUERS``)."""

_CHALLENGES: Final[Errors] = (LoginRefused, ChallengeRequired, ChallengeFailed, TicketInvalid)
"""The refusals after a right password, which only the setting ``CHALLENGE`` causes."""

_LOGIN: Final[Errors] = (LoginFailed, PasswordChanged, *_CHALLENGES)

_ALWAYS: Final[Errors] = (TemporarilyUnavailable,)

LOGIN: Final = Answer(
    summary="Log in",
    description="Exchange a user name or an e-mail address and a password for tokens. The answer is the same "
    "for an unknown account and for a wrong password.",
    verb="create",
    about="The tokens and the user.",
    serializer=GrantSerializer,
    user=True,
    cookies=SETS,
    codes={
        "account_required": "The body has neither a user name nor an e-mail address.",
        "account_ambiguous": "The body has several names of the account.",
    },
    errors=(RequestError, LoginFailed, *_CHALLENGES, CsrfFailed, TooManyAttempts, *_ALWAYS),
    except_=(TokenMissing, PersonalTokensFull, ScopeUnavailable),
)
REFRESH: Final = Answer(
    summary="Get new tokens",
    description="Exchange a refresh token for a new access token and a new refresh token. Store the new "
    "refresh token, because the old one is spent. After an error with status 401, log in again.",
    verb="create",
    about="The new tokens.",
    nobody="Nobody is logged in. Only a request with `optional` is answered like this.",
    serializer=RefreshedSerializer,
    user=False,
    cookies=SETS,
    errors=(Refusal, CsrfFailed, TooManyAttempts, *_ALWAYS),
    # The other refusals concern refresh tokens, sessions and users.
    except_=(TokenError, HeaderMalformed, ProofNeeded, *_LOGIN),
)
VERIFY: Final = Answer(
    summary="Check an access token",
    description="Return the claims of an access token, if the server would accept the token now.",
    verb="create",
    about="The token is accepted.",
    serializer=VerifiedSerializer,
    errors=(TokenError, SessionEnded, UserGone, UserInactive, TooManyAttempts, *_ALWAYS),
)
INTROSPECT: Final = Answer(
    summary="Ask about an access token",
    description="Return whether the server would accept an access token now, and its claims (RFC 7662). Only "
    "the programs that the server knows may ask. The answer never says why a token is not active.",
    verb="create",
    about="The token is active, or it is not.",
    serializer=IntrospectedSerializer,
    errors=(ClientInvalid, *_ALWAYS),
)
REVOKE: Final = Answer(
    summary="Log out",
    description="End the session of the refresh token in the body or in the cookie, or of the access token "
    "in the header. A second logout is not an error. With `token` the endpoint is OAuth's token "
    "revocation: the token is of either kind, and the answer to an unknown token is the same as to one that "
    "has ended.",
    verb="create",
    about="The session has ended.",
    serializer=RevokedSerializer,
    reads_header=True,
    cookies=CLEARS,
    errors=(TokenMissing, SessionMissing, Refusal, CsrfFailed, TooManyAttempts, *_ALWAYS),
    except_=(RefreshMissing, *_LOGIN),
)
LIST: Final = Answer(
    summary="List your sessions",
    description="List the sessions of the user that have not ended, the latest login first.",
    verb="list",
    about="The sessions.",
    serializer=SessionSerializer,
    many=True,
    errors=(SessionMissing, *_ACCESS, *_ALWAYS),
)
REVOKE_ALL: Final = Answer(
    summary="Log out everywhere",
    description="End all sessions of the user. The session of this request ends, too.",
    verb="destroy_all",
    about="The sessions have ended.",
    serializer=RevokedCountSerializer,
    cookies=CLEARS,
    errors=(SessionMissing, Impersonated, *_ACCESS, CsrfFailed, *_ALWAYS),
)
REVOKE_OTHERS: Final = Answer(
    summary="Log out everywhere else",
    description="End all sessions of the user except the session of this request.",
    verb="destroy",
    about="The other sessions have ended.",
    serializer=RevokedCountSerializer,
    errors=(SessionMissing, Impersonated, *_ACCESS, CsrfFailed, *_ALWAYS),
)
REVOKE_ONE: Final = Answer(
    summary="Log out one device",
    description="End one session of the user. The list of sessions has the ids.",
    verb="destroy",
    status=204,
    about="The session has ended.",
    cookies=CLEARS,
    errors=(SessionNotFound, SessionMissing, Impersonated, *_ACCESS, CsrfFailed, *_ALWAYS),
)


TICKET: Final = Answer(
    summary="Get a one-time ticket",
    description="Return a ticket that opens one connection which cannot send a header, such as a WebSocket.",
    verb="create",
    about="The ticket.",
    serializer=TicketSerializer,
    errors=(SessionMissing, *_ACCESS, CsrfFailed, *_ALWAYS),
)
LIST_PERSONAL: Final = Answer(
    summary="List your personal access tokens",
    description="List the personal access tokens of the user that have not ended, the latest first. The list "
    "of sessions has them, too.",
    verb="list",
    about="The tokens.",
    serializer=SessionSerializer,
    many=True,
    errors=(SessionMissing, *_ACCESS, *_ALWAYS),
)
CREATE_PERSONAL: Final = Answer(
    summary="Make a personal access token",
    description="Make a token for a script. The answer shows the token once. A login is needed: a personal "
    "token cannot make another one.",
    verb="create",
    status=201,
    about="The token.",
    serializer=IssuedTokenSerializer,
    errors=(
        *(RequestError, PasswordChanged, SessionMissing, Impersonated, CsrfFailed),
        *(*_ACCESS, *_ALWAYS),
    ),
    except_=(TokenMissing, TransportUnavailable, EmailLoginUnavailable),
)
REVOKE_PERSONAL: Final = Answer(
    summary="End a personal access token",
    description="End one personal access token of the user.",
    verb="destroy",
    status=204,
    about="The token has ended.",
    errors=(SessionNotFound, SessionMissing, Impersonated, *_ACCESS, CsrfFailed, *_ALWAYS),
)


def list_problems(view: Any, method: str, answer: Answer) -> Problems:
    """Return the codes that a method of a view answers, by status, with the text of each code.

    Args:
        view: an instance of the view, whose classes may be the project's own.
        method: the HTTP method, in capitals.
        answer: the description of the method.
    """
    found: Problems = {}
    for status, code, text in (
        *_list_own(view, method, answer),
        *_list_framework(view, answer),
    ):
        found.setdefault(status, {})[code] = text
    return dict(sorted(found.items()))


def list_access_problems(*, anybody: bool, safe: bool) -> Problems:
    """Return the codes of a view of the project that authenticates by access tokens.

    Args:
        anybody: whether the view also serves requests without a token.
        safe: whether the method changes nothing.
    """
    by_cookie: Errors = (CsrfFailed,) if get_settings().access_cookie and not safe else ()
    found: Problems = {}
    others: Errors = () if get_settings().issuers else _FOREIGN
    kinds = set(_list_kinds((*_ACCESS, *by_cookie, *_ALWAYS))) - {LoginBusy, RefreshContended, *others}
    for kind in sorted(kinds, key=lambda kind: kind.code):
        found.setdefault(find_status(kind) or 0, {})[kind.code] = describe_kind(kind)
    if not anybody:
        found[401][drf.NotAuthenticated.default_code] = _ANONYMOUS
    return found


def list_children(kind: type[TesseraError]) -> Iterator[type[TesseraError]]:
    """Yield a class of errors and all its children that are this package's own."""
    if kind.__module__.rpartition(".")[0] == _ROOM:
        yield kind
    for child in kind.__subclasses__():
        yield from list_children(child)


def _list_kinds(parents: Errors) -> Iterator[type[TesseraError]]:
    for parent in parents:
        yield from (kind for kind in list_children(parent) if kind not in _NEVER_RAISED)


def _list_own(view: Any, method: str, answer: Answer) -> Iterator[tuple[int, str, str]]:
    if answer.foreign:
        yield answer.refused, "refused", "The credentials or the token are not accepted."
        kinds: Iterable[type[TesseraError]] = answer.errors
        unused: Errors = ()
    else:
        kinds = _list_kinds(answer.errors)
        unused = answer.except_ + _list_unused(view, method, answer)
        unused += () if LoginFailed in answer.errors else (LoginBusy,)
        unused += () if get_settings().issuers and SessionMissing in answer.errors else _FOREIGN
    for kind in kinds:
        status = find_status(kind)
        if status is not None and not issubclass(kind, unused):
            yield status, kind.code, describe_kind(kind)


def _list_unused(view: Any, method: str, answer: Answer) -> Errors:
    """Return the errors that the settings of the project exclude."""
    settings = get_settings()
    # The source of a request counts if a token or a login travels in a cookie. GET changes nothing.
    by_access_cookie = settings.access_cookie and method != "GET"
    alone = view.get_authenticators() or answer.cookies == SETS_ACCESS
    checked = by_access_cookie if alone else offers_ambient()
    found = {
        CsrfFailed: not checked,
        TransportUnavailable: len(settings.transports) > 1,
        TokenMissing: offers_ambient(),
    }
    more = _CHALLENGES if settings.challenge is None and LoginFailed in answer.errors else ()
    return tuple(kind for kind, unused in found.items() if unused) + more


def _list_framework(view: Any, answer: Answer) -> Iterator[tuple[int, str, str]]:
    """Yield the errors of REST framework that the endpoints answer."""
    if hasattr(view, "get_serializer"):
        yield 400, RequestError.code, "A field is missing or wrong. `fields` names the mistakes."
        yield 400, "invalid", "The body is not an object."
        yield 400, "null", "The body is `null`."
        for code, text in answer.codes.items():
            yield 400, code, text
    yield 400, drf.ParseError.default_code, "The body or a header cannot be read."
    kinds = [type(found) for found in view.get_permissions()]
    if view.get_authenticators() and kinds:
        text = _NAMELESS if ClientInvalid in answer.errors else _ANONYMOUS
        yield 401, drf.NotAuthenticated.default_code, text
    if judges_token(view.permission_classes):
        yield 403, TokenPermission.code, describe_scopes(list_alternatives(view.permission_classes))
    if any(kind not in {AllowAny, IsAuthenticated} for kind in kinds):
        yield 403, drf.PermissionDenied.default_code, "The user may not do this."
    yield 406, drf.NotAcceptable.default_code, "The server has no answer in a format of the `Accept` header."
    yield 413, PayloadTooLarge.default_code, "The body has more than 64 KiB."
    yield 415, drf.UnsupportedMediaType.default_code, "Send JSON or a form, in UTF-8."


def describe_kind(kind: type[TesseraError]) -> str:
    """Return the text about a class of errors for API users: the first paragraph of its docstring."""
    # The interpreter drops docstrings with the option -OO.
    text = inspect.cleandoc(vars(kind).get("__doc__") or kind.default_detail).partition("\n\n")[0]
    return re.sub(r"``([^`]*)``", r"`\1`", re.sub(r" \(HTTP \d+\)", "", text.replace("\n", " ")))


def find_answers(view: Any) -> Mapping[str, Answer]:
    """Return the answers of a view: its own, or those of a package with the names of another package."""
    for kind in type(view).__mro__:
        found = _OTHERS.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None:
            return {"post": found()}
    answers: Mapping[str, Answer] = view.answers
    return answers


def _describe_tokens(*tokens: str, refused: int = 401, cookie: object = None) -> Answer:
    """Return the answers of a view whose bodies are those of another package.

    Args:
        tokens: the names of the texts in the body.
        refused: the status of a refusal.
        cookie: the name of a cookie of the other package, if the view reads one.
    """
    errors = (TooManyAttempts, *_ALWAYS, *((CsrfFailed,) if cookie else ()))
    return Answer(verb="create", foreign=True, tokens=tokens, refused=refused, errors=errors)


def _describe_jwt() -> Answer:
    chosen = getattr(django_settings, "JWT_AUTH", {})
    # A handler of the project may return any object.
    tokens = () if chosen.get("JWT_RESPONSE_PAYLOAD_HANDLER") else ("token",)
    return _describe_tokens(*tokens, refused=400, cookie=chosen.get("JWT_AUTH_COOKIE"))


_OTHERS: Final[Mapping[str, Callable[[], Answer]]] = {
    "rest_framework_simplejwt.views.TokenObtainPairView": partial(_describe_tokens, "access", "refresh"),
    "rest_framework_simplejwt.views.TokenRefreshView": partial(_describe_tokens, "access", "refresh?"),
    "rest_framework_simplejwt.views.TokenViewBase": _describe_tokens,
    "rest_framework_jwt.views.JSONWebTokenAPIView": _describe_jwt,
}
"""The views of the packages in ``compat/``, which have no room for descriptions."""


def describe_codes(codes: Mapping[str, str]) -> str:
    """Return the text about the codes of one status, in Markdown."""
    return "\n".join(f"- `{code}`: {text}" for code, text in codes.items())


def correct_body(serializer: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a serializer, with the rules that its fields do not tell."""
    if type(serializer).__module__.partition(".")[0] == OURS:
        found.pop("description", None)  # it is for developers of the project
    fields: dict[str, Any] = found.get("properties", {})
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
    if isinstance(serializer, RefreshSerializer | RevokeSerializer) and not takes_body():
        fields.pop("refresh", None)
    if isinstance(serializer, ClaimsSerializer | ChallengeKindSerializer):
        found["additionalProperties"] = {}
    return found


def find_text(view: Any, method: str) -> str:
    """Return the docstring of the project's own method or subclass, or of a package with other names."""
    kinds = type(view).__mro__[1:]  # the first class is that of the schema
    own = takewhile(lambda kind: kind.__module__.partition(".")[0] != OURS, kinds)
    texts = (
        getattr(vars(kind).get(method.lower()), "__doc__", None) or vars(kind).get("__doc__") for kind in own
    )
    return inspect.cleandoc(next(filter(None, texts), ""))


def describe_refusals(answers: dict[str, Any], problems: Problems) -> None:
    """Add the answers with these codes to an operation of the project, unless it describes them itself."""
    handler: Any = api_settings.EXCEPTION_HANDLER
    # The handler of REST framework writes no code for a request without a token.
    needed = ["detail", "code"] if handler is exception_handler else ["detail"]
    text = {"schema": {"type": "string"}, "required": True}
    headers = {401: {"WWW-Authenticate": text}, 503: {"Retry-After": text}}
    if TokenPermission.code in problems.get(403, {}):
        headers[403] = {"WWW-Authenticate": {**text, "required": len(problems[403]) == 1}}
    for status, codes in sorted(problems.items()):
        fields = {"detail": {"type": "string"}, "code": {"type": "string", "enum": [*codes]}}
        body = {"type": "object", "properties": fields, "required": needed}
        known = handler in {exception_handler, rest_framework_handler}
        found = {
            "headers": headers.get(status, {}) if known else {},
            "content": {"application/json": {"schema": body if known else ANY}},
            "description": describe_codes(codes),
        }
        answers.setdefault(str(status), {name: part for name, part in found.items() if part})
