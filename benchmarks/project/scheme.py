"""The authentication that the settings of the project have chosen."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings


def read_scheme() -> str:
    """Return the setting ``SCHEME``.

    mypy reads the settings of the tests. They have no such setting, so mypy must not look for it there.
    """
    return str(cast("Any", settings).SCHEME)
