"""Change the signing key of the project that is being measured."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from drf_tessera.keys import rotate_keys
from drf_tessera.models import SigningKey
from drf_tessera.revocation import publish_keys


def publish(*, alg: str, signs_at: float) -> None:
    """Publish a key that signs at a moment, in seconds since the epoch.

    An installation waits for the lifetime of the JWK Set. Nobody fetches it here.
    """
    key, _ = rotate_keys(alg)
    moment = timezone.now() + timedelta(seconds=signs_at - time.time())
    SigningKey.objects.filter(kid=key.kid).update(signs_at=moment)
    publish_keys(timezone.now())
