"""Views that need a token: a decorator for functions, and a class for class-based views."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ClassVar, cast, overload

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from drf_tessera.exceptions import PersonalTokenRefused, TesseraError, Unauthenticated
from drf_tessera.http import has_credentials, recall_failure, remember_failure, write_refusal
from drf_tessera.plain.authenticating import (
    Authenticated,
    LateRefusal,
    aauthenticate,
    attach,
    authenticate,
    check_scopes,
    explain,
    vary,
)
from drf_tessera.tokens import PersonalToken

View = Callable[..., Any]


@overload
def token_required(view: View) -> View: ...
@overload
def token_required(*, scopes: tuple[str, ...] = (), personal: bool = False) -> Callable[[View], View]: ...
def token_required(view: View | None = None, *, scopes: tuple[str, ...] = (), personal: bool = False) -> Any:
    """Return a view that needs an access token, or a token with all of ``scopes``.

    The answer to a request without a token is a 401, and the answer to a bad token is a 401 with the code of
    the reason. A page for people is better decorated with Django's ``login_required``, which sends a person
    to the login. The view works with and without ``TokenMiddleware``.

    Django's own CSRF check does not look at the view, as it does not look at views of REST framework. A
    request with the cookie that changes something must come from the site itself.

    With ``personal`` the view accepts personal access tokens (``tsk_...``) too.

    A view may be a function or a coroutine function. For class-based views use
    :class:`TokenRequiredMixin`, or ``method_decorator(token_required, name="dispatch")``.
    """
    if view is None:
        return partial(_guard, scopes=scopes, personal=personal)
    return _guard(view, scopes=scopes, personal=personal)


def _guard(view: View, *, scopes: tuple[str, ...], personal: bool) -> View:
    return _exempt(_wrap(view, scopes, personal=personal))


def _exempt(view: View) -> View:
    """Leave the answers to ``token_required``, because Django would answer with a page."""
    marked: Any = view
    marked.csrf_exempt = True
    marked.login_required = False
    return view


def _wrap(view: View, scopes: tuple[str, ...], *, personal: bool) -> View:
    if _is_async(view):

        @wraps(view)
        async def aguarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                _enter(
                    request,
                    _recall(request, personal=personal) or await aauthenticate(request, personal=personal),
                    scopes,
                )
                return vary(request, await view(request, *args, **kwargs))
            except (TesseraError, LateRefusal) as error:
                return vary(request, _answer(request, error))

        return aguarded

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            _enter(
                request,
                _recall(request, personal=personal) or authenticate(request, personal=personal),
                scopes,
            )
            return vary(request, view(request, *args, **kwargs))
        except (TesseraError, LateRefusal) as error:
            return vary(request, _answer(request, error))

    return guarded


def _is_async(view: Any) -> bool:
    """Return whether a view returns a coroutine.

    The method ``dispatch`` of a class whose handlers are coroutines returns one, and does not look like it.
    ``method_decorator`` passes the method of an instance as a partial function.
    """
    owner = getattr(getattr(view, "func", view), "__self__", None)
    return iscoroutinefunction(view) or bool(getattr(owner, "view_is_async", False))


def _recall(request: Any, *, personal: bool) -> Authenticated | None:
    """Return what the middleware has found in the same request.

    Raises:
        Refusal, CsrfFailed: the middleware has refused the token.
    """
    error = recall_failure(request)
    if error is not None and not (personal and isinstance(error, PersonalTokenRefused)):
        raise error
    token = getattr(request, "auth", None)
    if token is None or (isinstance(token, PersonalToken) and not personal):
        return None
    return Authenticated(request.user, token, by_header=has_credentials(request, cookie=False))


def _enter(request: Any, found: Authenticated | None, scopes: tuple[str, ...]) -> None:
    if found is None:
        raise Unauthenticated
    check_scopes(found.token, scopes)
    attach(request, found)


def _answer(request: HttpRequest, error: TesseraError | LateRefusal) -> Any:
    found = cast("TesseraError", explain(error))
    remember_failure(request, found)
    return write_refusal(found, request)


class TokenRequiredMixin:
    """A parent for class-based views that need an access token, and all of ``scopes``.

    It stands before Django's ``View``. The methods of the view may be coroutines.
    """

    scopes: ClassVar[tuple[str, ...]] = ()
    """The scopes that the token must have."""
    personal: ClassVar[bool] = False
    """Whether personal access tokens are accepted too."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, which Django's own checks leave alone."""
        return _exempt(cast("Any", super()).as_view(**initkwargs))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the answer of the method of the view, or a refusal."""
        dispatch: Any = cast("Any", super()).dispatch
        return _wrap(dispatch, self.scopes, personal=self.personal)(request, *args, **kwargs)
