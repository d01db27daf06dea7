"""The addresses of notes."""

from __future__ import annotations

from django.urls import path

from notes import views

urlpatterns = [
    path("", views.NoteListView.as_view(), name="note_list"),
    path("<int:pk>/", views.NoteDetailView.as_view(), name="note"),
]
