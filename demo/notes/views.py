"""List, create, read and delete notes."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import BaseSerializer

from drf_tessera.rest.authentication import PersonalTokenAuthentication
from drf_tessera.rest.shapes import (
    ErrorSerializer,
    InvalidSerializer,
)
from notes.models import Note
from notes.permissions import IsLoginOrReads
from notes.serializers import NoteSerializer


class OwnNotes(generics.GenericAPIView):
    """The notes of the user of the request. A note of another user is a 404, like a missing note.

    A script with a personal access token may read the notes. It may not change them.
    """

    authentication_classes = (PersonalTokenAuthentication,)
    permission_classes = (IsAuthenticated, IsLoginOrReads)
    queryset = Note.objects.none()  # the schema reads the model from here
    serializer_class = NoteSerializer

    def get_queryset(self) -> QuerySet[Note]:
        """Return the user's notes."""
        return Note.objects.filter(owner=self.request.user)


@extend_schema_view(post=extend_schema(responses={201: NoteSerializer, 400: InvalidSerializer}))
class NoteListView(OwnNotes, generics.ListCreateAPIView):
    """The list of notes."""

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Save a new note for the user of the request."""
        serializer.save(owner=self.request.user)


@extend_schema_view(
    get=extend_schema(responses={200: NoteSerializer, 404: ErrorSerializer}),
    delete=extend_schema(responses={204: None, 404: ErrorSerializer}),
)
class NoteDetailView(OwnNotes, generics.RetrieveDestroyAPIView):
    """One note."""
