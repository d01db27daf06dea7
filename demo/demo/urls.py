"""All addresses of the demo."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from demo import views
from drf_tessera.rest.tickets import TicketView

urlpatterns = [
    path("", views.show_page, name="page"),
    path("", include("drf_tessera.rest.keysets")),
    path("language/", set_language, name="set_language"),
    path("language/<slug:language>/messages.js", views.show_messages, name="messages"),
    path("admin/", admin.site.urls),
    # allauth: the sign-up, the confirmed address and the second factor.
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/personal-tokens/", include("drf_tessera.rest.personal_urls")),
    path("api/ticket/", TicketView.as_view(), name="ticket"),
    path("api/keys/", include("keyring.urls")),
    path("api/postbox/", include("postbox.urls")),
    path("api/notes/", include("notes.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", views.DocsView.as_view(), name="docs"),
    path("api/timeline/", include("timeline.urls")),
]

handler404 = views.show_missing
