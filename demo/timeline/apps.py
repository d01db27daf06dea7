"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TimelineConfig(AppConfig):
    """The timeline."""

    name = "timeline"

    def ready(self) -> None:
        """Connect to drf-tessera's signals."""
        from timeline import events  # noqa: PLC0415 - the models must be loaded first

        events.connect()
