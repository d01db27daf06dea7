"""The serializer of a note."""

from __future__ import annotations

from rest_framework import serializers

from notes.models import Note


class NoteSerializer(serializers.ModelSerializer):
    """``{id, text, created_at}``. The owner is the user of the request; a client cannot choose the owner."""

    class Meta:
        """REST framework's convention."""

        model = Note
        fields = ("id", "text", "created_at")
