"""Public documents under ``/.well-known/``. Pages of every origin may read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from drf_tessera.http.languages import set_language

_METHODS: Final = "GET, HEAD, OPTIONS"
_SHARED: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Retry-After"}
"""Without credentials. A document says the same to everybody, so a page learns no more than any program."""

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "*",  # clients of MCP send MCP-Protocol-Version
    "Access-Control-Max-Age": "86400",
}


def public_document(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return a view of Django as one that is read only, and whose answers scripts of every origin may read.

    If ``django-cors-headers`` knows the origin of a request, its own headers replace these.
    """

    @wraps(view)
    def show(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer: HttpResponseBase
        headers = _SHARED
        if request.method == "OPTIONS":
            answer = HttpResponse(status=204)
            headers = {**_SHARED, **_PREFLIGHT, "Allow": _METHODS}
        elif request.method not in {"GET", "HEAD"}:
            answer = HttpResponseNotAllowed(_METHODS.split(", "))
        else:
            try:
                answer = view(request, *args, **kwargs)
            except Http404:
                answer = JsonResponse({"detail": _("Not found."), "code": "not_found"}, status=404)
                set_language(answer)
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer

    return show
