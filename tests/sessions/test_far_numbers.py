"""A token with a number that no session reaches is refused like any other forged token.

Its author has ``SECRET_KEY``, so its MAC is right. PostgreSQL raises an error for a number that the
column cannot hold, although no row has the secret of the token.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractBaseUser

from drf_tessera import sessions
from drf_tessera.exceptions import RefreshInvalid
from drf_tessera.models import Session
from drf_tessera.rotation import Outcome
from drf_tessera.tokens import read_refresh_token, write_refresh_token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("known", [False, True], ids=["without the secret", "with it"])
@pytest.mark.parametrize("number", [2**31 - 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
def test_a_far_number_is_refused(anna: AbstractBaseUser, number: int, known: bool) -> None:
    token = read_refresh_token(str(sessions.start(anna).refresh))
    text = write_refresh_token(token.facts, number, token.secret if known else b"0" * 16)
    for use in (sessions.refresh, sessions.inspect_refresh_token, sessions.preview_refresh):
        with pytest.raises(RefreshInvalid):
            use(text)
    assert Session.objects.get().generation == 0


def test_a_great_number_is_not(anna: AbstractBaseUser) -> None:
    """The database lost commits, so the row follows its token."""
    token = read_refresh_token(str(sessions.start(anna).refresh))
    number = 2**31 - 2**16
    grant = sessions.refresh(write_refresh_token(token.facts, number, token.secret))
    assert grant.outcome is Outcome.RESYNCED
    assert Session.objects.get().generation == number + 1
