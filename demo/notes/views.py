"""List, create, read and delete notes."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import generics
from rest_framework.serializers import BaseSerializer

from notes.models import Note
from notes.serializers import NoteSerializer


class OwnNotes(generics.GenericAPIView):
    """The notes of whoever asks. Other people's do not exist here: 404, as for no note at all."""

    serializer_class = NoteSerializer

    def get_queryset(self) -> QuerySet[Note]:
        """Select them."""
        return Note.objects.filter(owner=self.request.user)


class NoteListView(OwnNotes, generics.ListCreateAPIView):
    """All of them."""

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Save a new one for whoever asks."""
        serializer.save(owner=self.request.user)


class NoteDetailView(OwnNotes, generics.RetrieveDestroyAPIView):
    """One of them."""
