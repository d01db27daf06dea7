"""The shape of a key, for the schema of the API."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers

STAGES: Final = ("published", "signing", "retiring", "gone", "revoked")


class KeySerializer(serializers.Serializer):
    """One key. Its public part is in the JWK Set, and its private part never leaves the server."""

    kid = serializers.CharField()
    alg = serializers.CharField()
    stage = serializers.ChoiceField(STAGES)
    signs_at = serializers.IntegerField(help_text="Milliseconds since 1970.")
    gone_at = serializers.IntegerField(
        allow_null=True, help_text="When the key leaves the JWK Set. Null, if no other key follows it."
    )
