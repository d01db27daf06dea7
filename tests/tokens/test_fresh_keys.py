"""A token whose key is unknown here: the ring is read again before the token is refused."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractBaseUser

from drf_tessera import sessions
from drf_tessera.exceptions import TokenKeyUnknown
from drf_tessera.tokens import access
from drf_tessera.tokens.keystore import get_keystore

pytestmark = pytest.mark.django_db


def test_a_key_that_another_process_made_is_read_once(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ring of this process is old, and the fresh one has the key."""
    sent = sessions.start(anna).access
    verify, asked = access._verify, []

    def verify_by(token: str, keystore: object, present: float) -> object:
        asked.append(keystore)
        if len(asked) == 1:
            raise TokenKeyUnknown
        return verify(token, get_keystore(), present)

    monkeypatch.setattr(access, "_verify", verify_by)
    monkeypatch.setattr(access, "get_fresh_keystore", lambda age: object())
    assert access.verify_access_token(sent).sub == str(anna.pk)
    assert len(asked) == 2
