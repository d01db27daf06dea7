from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from tests import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("me/", views.Me.as_view()),
    path("name/", views.Name.as_view()),
    path("strict/", views.StrictMe.as_view()),
    path("public/", views.Public.as_view()),
]
