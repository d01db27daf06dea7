"""The system checks of ``ISSUERS`` that need more than the setting."""

from __future__ import annotations

from typing import Any

import pytest

from drf_tessera.checks import issuers as checks
from tests.issuers.material import issuer, make_jwk
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the entries name fields of Django's own model"),
]

ONE = make_jwk("one")


def check(settings: Any, *entries: Any) -> list[str | None]:
    settings.TESSERA = {"ISSUERS": list(entries)}
    return [found.id for found in checks.check_issuers(None)]


def test_a_field_that_cannot_identify_a_user_is_reported(settings: Any) -> None:
    assert check(settings, issuer(ONE, user_field="username")) == []
    assert check(settings, issuer(ONE, user_field="email")) == ["tessera.E043"]


def test_problems_of_the_setting_are_reported_elsewhere(settings: Any) -> None:
    assert check(settings, issuer(ONE, user_field=5)) == []


def test_the_library_is_needed_only_where_keys_are_fetched(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(settings, issuer()) == []
    monkeypatch.setattr(checks, "can_fetch", lambda: False)
    assert check(settings, issuer()) == ["tessera.E044"]
    assert check(settings, issuer(ONE)) == []


def test_two_issuers_that_name_the_same_users_are_reported(settings: Any) -> None:
    first = issuer(ONE, user_field="username")
    second = {**first, "issuer": "https://second.example"}
    assert check(settings, first, second) == ["tessera.W041"]
    assert check(settings, first, {**second, "user_claim": "name"}) == []
    assert check(settings, issuer(ONE), {**issuer(ONE), "issuer": "https://second.example"}) == []
