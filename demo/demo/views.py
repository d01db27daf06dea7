"""The page at ``/``. The page uses only the API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from demo.people import PEOPLE
from drf_tessera.conf import get_settings


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
