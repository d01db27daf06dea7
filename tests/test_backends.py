"""The backend for e-mail addresses, called directly."""

from __future__ import annotations

import pytest

from drf_tessera import backends


def test_an_address_finds_nobody_if_the_user_model_has_no_column_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "find_email_field", lambda: None)
    assert backends._choose_by_address([object()], "anna@example.com") is None
