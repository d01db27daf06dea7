"""User names and e-mail addresses, as people type them."""

from __future__ import annotations

import unicodedata
from typing import Final

from django.contrib.auth import get_user_model

MAX_NAME_LENGTH: Final = 320
"""In characters. No e-mail address is longer (RFC 3696, erratum 1690)."""


def fold_name(text: str) -> str:
    """Return an account name without differences that people overlook: case, width, outer spaces (NFKC).

    A text above :data:`MAX_NAME_LENGTH` is returned unchanged, because no account has such a name, and the
    conversion of a long text takes seconds.
    """
    if len(text) > MAX_NAME_LENGTH:
        return text
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def find_email_field() -> str | None:
    """Return the user model's column for the e-mail address, or ``None``."""
    model = get_user_model()
    name = model.get_email_field_name()
    return name if name in {field.name for field in model._meta.concrete_fields} else None
