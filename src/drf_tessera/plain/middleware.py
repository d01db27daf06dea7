"""The middleware that puts the user of a token into every request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from drf_tessera.exceptions import CsrfFailed, Refusal, TemporarilyUnavailable, TesseraError
from drf_tessera.http import (
    has_credentials,
    recall_failure,
    remember_failure,
    report_refused_token,
    write_refusal,
)
from drf_tessera.plain.authenticating import (
    Authenticated,
    afind,
    attach,
    explain,
    find,
    set_user,
    vary,
)


class TokenMiddleware:
    """Set ``request.user`` and ``request.auth`` from the access token, for views without REST framework.

    It stands below ``django.contrib.auth.middleware.AuthenticationMiddleware``, or in its place. Then
    ``login_required``, ``permission_required``, ``LoginRequiredMiddleware`` and templates work with tokens.

    A request without a token stays as it is. A request with a bad token is anonymous, also if it has a
    session of Django, and ``request.token_error`` is the reason. ``token_required`` answers it with the code
    of the reason. If the token cannot be judged at the moment, the answer is a 503.

    A request whose header has a token needs no CSRF token, because no browser adds the header by itself. A
    request with the cookie that changes something must come from the site itself, and Django's own check of
    the CSRF token remains.

    In a coroutine ``request.user`` is not loaded. ``await request.auser()`` returns the user with all fields.
    """

    sync_capable = True
    async_capable = True
    personal = False
    """Whether a subclass accepts personal access tokens too."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._redirects = _redirects_to_login()
        self._is_async: bool = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            self.process_view: Any = self._aprocess_view
        else:
            self.process_view = self._process_view

    def is_for(self, request: HttpRequest) -> bool:
        """Return whether to look for a token. A subclass may leave out some paths, such as the admin."""
        return True

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Authenticate the request, and return the answer of the view."""
        if self._is_async:
            return self._acall(request)
        refused = None
        try:
            if self.is_for(request):
                _enter(request, find(request, personal=self.personal))
        except (Refusal, CsrfFailed) as error:
            refused = _refuse(request, error)
        except TemporarilyUnavailable as error:
            return write_refusal(error, request)
        response: HttpResponseBase = self.get_response(request)
        return _leave(request, response, refused)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        refused = None
        try:
            if self.is_for(request):
                _enter(request, await afind(request, personal=self.personal))
        except (Refusal, CsrfFailed) as error:
            refused = _refuse(request, error)
        except TemporarilyUnavailable as error:
            return write_refusal(error, request)
        response: HttpResponseBase = await self.get_response(request)
        if isinstance(refused, Refusal):
            return await sync_to_async(_leave)(request, response, refused)  # a receiver may make a query
        return _leave(request, response, refused)

    def _process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Return the answer to a bad token in the header, in place of ``LoginRequiredMiddleware``.

        That middleware sends everybody to a page for logging in, and a client of an API cannot use a page.
        """
        error = recall_failure(request)
        if error is None or not self._redirects or not getattr(view, "login_required", True):
            return None
        return write_refusal(error, request) if has_credentials(request, cookie=False) else None

    async def _aprocess_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        # A method that is not a coroutine would cost a thread for each request.
        return self._process_view(request, view, args, kwargs)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the answer to an error of this package that a view or a template raises."""
        found = explain(error)
        if isinstance(found, TesseraError):
            if isinstance(found, Refusal):
                remember_failure(request, found)
            return write_refusal(found, request)
        return None


def _enter(request: Any, found: Authenticated | None) -> None:
    remember_failure(request, None)
    request.auth = None
    if found is None:
        if not hasattr(request, "user"):
            set_user(request, _make_stranger())
        return
    attach(request, found)
    if found.by_header:
        _need_no_csrf_token(request)


def _refuse(request: Any, error: TesseraError) -> TesseraError:
    """Make a request with a bad token anonymous. Its session of Django does not count. Return the error."""
    remember_failure(request, error)
    request.auth = None
    if isinstance(error, Refusal) and has_credentials(request, cookie=False):
        # The view answers, because Django's 403 would hide the code that makes a client refresh.
        _need_no_csrf_token(request)
    set_user(request, _make_stranger())
    return error


def _leave(request: Any, response: HttpResponseBase, refused: TesseraError | None) -> HttpResponseBase:
    """Return the answer. Report the token that was refused, unless the view has accepted it.

    A view may accept personal access tokens that the middleware refuses.
    """
    if isinstance(refused, Refusal) and getattr(request, "auth", None) is None:
        report_refused_token(refused.code, request)
    return vary(request, response)


def _make_stranger() -> Any:
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - a user model may import this early

    return AnonymousUser()


def _need_no_csrf_token(request: Any) -> None:
    # The attribute of Django's own test client. Django has no other way to exempt a request, and not a view.
    request._dont_enforce_csrf_checks = True  # noqa: SLF001 - the comment above


def _redirects_to_login() -> bool:
    """Return whether the project has ``LoginRequiredMiddleware``, or a class derived from it."""
    from django.contrib.auth.middleware import LoginRequiredMiddleware  # noqa: PLC0415 - the same

    found = (import_string(path) for path in django_settings.MIDDLEWARE)
    return any(isinstance(kind, type) and issubclass(kind, LoginRequiredMiddleware) for kind in found)
