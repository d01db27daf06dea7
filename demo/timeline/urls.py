"""The addresses of the timeline."""

from __future__ import annotations

from django.urls import path

from timeline import views

urlpatterns = [
    path("", views.TimelineView.as_view(), name="timeline"),
    path("lapse/", views.LapseView.as_view(), name="lapse"),
]
