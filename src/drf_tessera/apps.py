"""The Django app."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from drf_tessera.exceptions import TesseraError
from drf_tessera.texts import Text

EXTENSIONS: Final = "drf_tessera"
"""The group of entry points that the app calls when it is ready. ``compat/`` has two of them."""

logger: Final = logging.getLogger(__name__)


class TesseraConfig(AppConfig):
    """Token authentication with sessions."""

    name = "drf_tessera"
    label = "tessera"
    verbose_name: Any = _("Token sessions")

    def ready(self) -> None:
        """Connect the receivers, the checks and the extensions.

        Raises:
            ImproperlyConfigured: pip has damaged a package of ours, and the project cannot be imported.
        """
        try:
            from drf_tessera import audit, installation, keys, receivers, revocation  # noqa: PLC0415 - models
            from drf_tessera.checks import projects as checks  # noqa: PLC0415 - the same
        except ImportError as error:
            damage = _describe_damage()
            if damage:
                raise ImproperlyConfigured(damage) from error
            raise
        TesseraError.translations = Text.translations = translation
        audit.connect()
        receivers.connect()
        installation.connect(self)
        keys.connect(self)
        revocation.connect(self)
        checks.connect()
        for extension in entry_points(group=EXTENSIONS):
            _connect(extension)


def _connect(extension: EntryPoint) -> None:
    """Call an extension. If pip has overwritten or deleted its files, ``manage.py check`` reports that."""
    try:
        extension.load()()
    except ImportError:
        damage = _describe_damage()
        if not damage:
            raise
        logger.error("%s was not connected. %s", extension.value, damage)  # noqa: TRY400 - the cause is known


def _describe_damage() -> str:
    from drf_tessera.legacy import find_damage  # noqa: PLC0415 - only if an import has failed

    with translation.override(None):  # for logs, which are English
        return " ".join(f"{found.msg} {found.hint}" for found in find_damage())
