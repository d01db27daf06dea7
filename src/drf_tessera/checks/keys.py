"""The checks of ``KEYS`` that need more than the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError
from django.utils.translation import gettext as _

from drf_tessera.conf import DATABASE, DERIVED, JWKS, KeySource, Settings, read_settings
from drf_tessera.database import find_database, has_table
from drf_tessera.exceptions import KeyMaterialError, TesseraError
from drf_tessera.http import walk_views
from drf_tessera.jose.keys import Key
from drf_tessera.keys import list_overdue, read_key_file, uses_database
from drf_tessera.models import SigningKey
from drf_tessera.rest.keysets import show_key_set

Apps = Sequence[AppConfig] | None


def check_keys(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E050 and W050: a file of keys that cannot be read, and a JWK Set that is always empty."""
    settings, problems = read_settings()
    if problems:
        return []
    return [*_check_files(settings), *_check_key_set(settings)]


def check_rotation(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report W051: nobody rotates the keys. ``migrate`` and ``check --database`` run this check."""
    settings, problems = read_settings()
    using = find_database()
    if problems or using not in (databases or ()) or not uses_database(settings):
        return []
    try:
        late = list_overdue() if has_table(using, SigningKey) else []
    except (TesseraError, DatabaseError):
        return []  # the database does not answer, or 'migrate' is about to create the columns
    if not late:
        return []
    names = ", ".join(
        _("%(key)s of %(tenant)r") % {"key": key.kid, "tenant": tenant} if tenant else key.kid
        for tenant, key in late[:3]
    )
    if len(late) > 3:
        names = _("%(names)s and %(count)d more") % {"names": names, "count": len(late) - 3}
    return [
        django_checks.Warning(
            _("Nobody rotates the keys: KEY_ROTATION is over for %(names)s.") % {"names": names},
            hint=_(
                "Run 'manage.py tessera_keys rotate --if-due' by cron, or set KEY_ROTATION to None"
                " (docs/howto/keys.md)."
            ),
            id="tessera.W051",
        )
    ]


def _check_files(settings: Settings) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for entry in settings.keys:
        if not isinstance(entry, KeySource) or entry.path is None:
            continue
        try:
            keys = read_key_file(entry.path)
            trouble = (
                "" if any(key.can_sign for key in keys) or len(settings.keys) > 1 else _("No key can sign.")
            )
        except KeyMaterialError as error:
            trouble = error.detail
        except OSError as error:
            trouble = f"{type(error).__name__}."
        if trouble:
            found.append(
                Error(
                    _("TESSERA['KEYS']: the keys in %(path)r cannot be used. %(reason)s")
                    % {"path": str(entry.path), "reason": trouble},
                    hint=_(
                        "Write a JWK Set with a private key. 'manage.py tessera_keys generate' prints one."
                    ),
                    id="tessera.E050",
                )
            )
    return found


def _check_key_set(settings: Settings) -> list[CheckMessage]:
    if not getattr(django_settings, "ROOT_URLCONF", None) or find_pair(settings) is not None:
        return []
    return [
        django_checks.Warning(
            _("The JWK Set at %(route)r is empty, because all keys are shared secrets.") % {"route": route},
            hint=_(
                'Set TESSERA["KEYS"], for example to [{"derived": True}, {"database": True}], or remove the'
                " path (docs/howto/keys.md)."
            ),
            id="tessera.W050",
        )
        for route, callback in walk_views()
        if callback is show_key_set
    ]


def find_pair(settings: Settings) -> str | None:
    """Return the name of a key that other services can verify with, or ``None`` if all keys are secrets."""
    for entry in settings.keys:
        if isinstance(entry, Key):
            if entry.public is not None:
                return entry.alg
        elif entry.kind == DATABASE:
            return entry.alg
        elif entry.kind != DERIVED:
            return _("a JWK Set") if entry.kind == JWKS else _("a signer")
    return None
