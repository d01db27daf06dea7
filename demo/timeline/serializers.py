"""The shape of the timeline, for the schema of the API."""

from __future__ import annotations

from rest_framework import serializers


class EventSerializer(serializers.Serializer):
    """One event of one session."""

    number = serializers.IntegerField()
    session = serializers.UUIDField()
    kind = serializers.CharField(
        help_text="`started`, `revoked`, `reused`, `lapsed`, or the outcome of a refresh."
    )
    reason = serializers.CharField(
        help_text="The reason of an end, the seconds of a lapse, or an empty text."
    )
    at = serializers.IntegerField(help_text="Milliseconds since 1970.")


class PlaceSerializer(serializers.Serializer):
    """The user and the device of a session."""

    user = serializers.CharField()
    device = serializers.CharField()


class TimelineSerializer(serializers.Serializer):
    """The events, and the sessions that began with one of them."""

    now = serializers.IntegerField(help_text="The time of the server, in milliseconds since 1970.")
    events = EventSerializer(many=True)
    sessions = serializers.DictField(child=PlaceSerializer())


class LapseSerializer(serializers.Serializer):
    """How much time a session skips."""

    seconds = serializers.IntegerField(min_value=1, max_value=600)
