"""The page at ``/``, which uses only the API, and the page with Swagger UI."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings as project
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from django.views.i18n import JavaScriptCatalog
from drf_spectacular.views import SpectacularSwaggerSplitView

from demo.people import PEOPLE
from drf_tessera.conf import get_settings

DOCS_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Swagger UI has inline styles and pictures in its styles. Inline scripts never run here, either."""

_TYPES: Final = ["application/json", "text/html"]

# Django adds the folder in LOCALE_PATHS. The page needs no catalogue of an app.
_catalogue: Final = JavaScriptCatalog.as_view(packages=["notes"])


@require_safe
def show_page(request: HttpRequest) -> HttpResponse:
    """Return the page, with the settings that its countdowns need."""
    settings = get_settings()
    return render(
        request,
        "index.html",
        {
            "people": PEOPLE,
            "grace": int(settings.refresh_grace.total_seconds()),
            "lifetime": int(settings.access_lifetime.total_seconds()),
            "recoveries": settings.refresh_recoveries,
        },
    )


@require_safe
def show_messages(request: HttpRequest, language: str) -> HttpResponse:
    """Return the messages of the scripts. The address has the language, so no cache can mix languages."""
    if language not in dict(project.LANGUAGES):
        raise Http404
    with override(language):
        response = _catalogue(request)
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-cache"  # as for the scripts in demo/asgi.py
    return response


def show_missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the 404 of an address without a view: JSON for a client of the API, a page for a browser."""
    if request.path.startswith("/api/") and request.get_preferred_type(_TYPES) != "text/html":
        response: HttpResponse = JsonResponse({"detail": _("Not found."), "code": "not_found"}, status=404)
    else:
        response = page_not_found(request, exception)
    patch_vary_headers(response, ["Cookie"])  # the menu of languages writes a cookie
    return response


class DocsView(SpectacularSwaggerSplitView):
    """The API in Swagger UI. Its script is a file of its own, as the content security policy demands."""

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the policy to the page and to its script."""
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return super().finalize_response(request, response, *args, **kwargs)
