"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TesseraConfig(AppConfig):
    """Token authentication with sessions."""

    name = "drf_tessera"
    label = "tessera"
    verbose_name = "Token sessions"

    def ready(self) -> None:
        """Connect the receivers and the checks."""
        from drf_tessera import checks, receivers  # noqa: PLC0415 - they need the models to be loaded

        receivers.connect()
        checks.connect()
