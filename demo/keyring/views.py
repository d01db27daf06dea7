"""The keys that sign the access tokens: show them, rotate them, and skip the time until the next one signs.

In a project, only an operator does this, by ``manage.py tessera_keys``. Here everybody may who is logged in.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import keys
from drf_tessera.models import SigningKey
from drf_tessera.revocation import publish_keys
from keyring.serializers import KeySerializer


class KeysView(APIView):
    """The keys, newest first."""

    serializer_class = KeySerializer

    @extend_schema(responses={200: KeySerializer(many=True)})
    def get(self, request: Request) -> Response:
        """Return the keys."""
        return Response(describe_keys())

    @extend_schema(request=None, responses={200: KeySerializer(many=True)})
    def post(self, request: Request) -> Response:
        """Publish the next key, unless one is waiting. Return the keys."""
        _, is_new = keys.rotate_keys()
        if is_new:
            tell_change()
        return Response(describe_keys())


class KeyLapseView(APIView):
    """The time lapse of the keys, so that nobody has to wait until every verifier can have the next key.

    This view is only for the demo: in a project, only drf-tessera writes its tables.
    """

    @extend_schema(request=None, responses={200: KeySerializer(many=True)})
    def post(self, request: Request) -> Response:
        """Move the times of all keys into the past, so that the newest key signs. Return the keys."""
        left = max((key.life.signs_at - time.time() for key in keys.list_keys()), default=0)
        if left > 0:
            passed = timedelta(seconds=math.ceil(left))
            moved = {name: F(name) - passed for name in ("published_at", "signs_at")}
            SigningKey.objects.update(**moved)
            tell_change()
        return Response(describe_keys())


def tell_change() -> None:
    """Publish the change. This process reads the keys at once, because the time lapse skips the wait."""
    publish_keys(timezone.now())
    keys.find_book().refresh(age=0)


def describe_keys() -> list[dict[str, Any]]:
    """Return the keys as JSON, newest first."""
    return [
        {
            "kid": key.kid,
            "alg": key.alg,
            "stage": key.stage.value,
            "signs_at": _write_time(key.life.signs_at),
            "gone_at": _write_time(key.gone_at),
        }
        for key in reversed(keys.list_keys())
    ]


def _write_time(seconds: float) -> int | None:
    return None if math.isinf(seconds) else int(seconds * 1000)
