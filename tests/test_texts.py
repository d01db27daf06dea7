"""A text is made in English, before Django is ready, and is shown in the language of a person."""

from __future__ import annotations

import pytest
from django.utils import translation

from drf_tessera.texts import Text

pytestmark = pytest.mark.once


def test_a_text_is_english_for_logs_and_translated_for_people() -> None:
    inner = Text("must be %(names)s.", names="x")
    text = Text("TESSERA[%(key)r] %(fault)s", key="A", fault=Text("is not callable."))
    with translation.override("de"):
        assert text == "TESSERA['A'] is not callable."
        assert text.shown == "TESSERA['A'] ist nicht aufrufbar."
        assert inner.shown == "must be x."
