"""The endpoints for personal access tokens. A project that wants such tokens includes them.

``path("api/personal-tokens/", include("drf_tessera.rest.personal_urls"))``
"""

from __future__ import annotations

from django.urls import URLPattern, path

from drf_tessera.rest import personal

urlpatterns: list[URLPattern] = [
    path("", personal.PersonalTokensView.as_view(), name="personal_tokens"),
    path("<str:session_id>/", personal.PersonalTokenView.as_view(), name="personal_token"),
]
