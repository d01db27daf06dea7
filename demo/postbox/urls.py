"""The address of the mailbox."""

from __future__ import annotations

from django.urls import path

from postbox import views

urlpatterns = [path("", views.PostboxView.as_view(), name="postbox")]
