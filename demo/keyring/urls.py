"""The addresses of the keys."""

from __future__ import annotations

from django.urls import path

from keyring import views

urlpatterns = [
    path("", views.KeysView.as_view(), name="keys"),
    path("lapse/", views.KeyLapseView.as_view(), name="keys_lapse"),
]
