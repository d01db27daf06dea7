"""The shape of a message, for the schema of the API."""

from __future__ import annotations

from rest_framework import serializers


class MessageSerializer(serializers.Serializer):
    """One message."""

    to = serializers.EmailField()
    subject = serializers.CharField()
    text = serializers.CharField()
    at = serializers.IntegerField(help_text="Milliseconds since 1970.")
