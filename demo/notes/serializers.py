"""The shape of a note."""

from __future__ import annotations

from rest_framework import serializers

from notes.models import Note


class NoteSerializer(serializers.ModelSerializer):
    """``{id, text, created_at}``; the owner is whoever asks, so nobody can choose it."""

    class Meta:
        """REST framework's convention."""

        model = Note
        fields = ("id", "text", "created_at")
