"""The Django app."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from django.apps import AppConfig

EXTENSIONS: Final = "drf_tessera"
"""The group of entry points that the app calls when it is ready. ``compat/`` has two of them."""


class TesseraConfig(AppConfig):
    """Token authentication with sessions."""

    name = "drf_tessera"
    label = "tessera"
    verbose_name: str = "Token sessions"

    def ready(self) -> None:
        """Connect the receivers and the checks."""
        from drf_tessera import checks, receivers  # noqa: PLC0415 - they need the models to be loaded

        receivers.connect()
        checks.connect()
        for extension in entry_points(group=EXTENSIONS):
            extension.load()()
