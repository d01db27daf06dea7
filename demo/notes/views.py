"""List, create, read and delete notes."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import generics
from rest_framework.serializers import BaseSerializer

from notes.models import Note
from notes.serializers import NoteSerializer


class OwnNotes(generics.GenericAPIView):
    """The notes of the user of the request. A note of another user is a 404, like a missing note."""

    serializer_class = NoteSerializer

    def get_queryset(self) -> QuerySet[Note]:
        """Return the user's notes."""
        return Note.objects.filter(owner=self.request.user)


class NoteListView(OwnNotes, generics.ListCreateAPIView):
    """The list of notes."""

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Save a new note for the user of the request."""
        serializer.save(owner=self.request.user)


class NoteDetailView(OwnNotes, generics.RetrieveDestroyAPIView):
    """One note."""
