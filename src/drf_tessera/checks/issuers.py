"""The check of ``ISSUERS`` that needs more than the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.utils.translation import gettext as _

from drf_tessera.conf import read_settings
from drf_tessera.issuers import can_fetch, check_accounts

Apps = Sequence[AppConfig] | None


def check_issuers(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E043, E044 and W041: entries of ``ISSUERS`` that do not fit this project."""
    settings, problems = read_settings()
    if problems:
        return []
    found: list[CheckMessage] = [
        Error(
            _("TESSERA['ISSUERS']: %(reason)s") % {"reason": text.shown},
            hint=_("Name plain, unique columns of the user model (docs/howto/accept-other-issuers.md)."),
            id="tessera.E043",
        )
        for text in check_accounts(settings.issuers)
    ]
    if not can_fetch() and any(not entry.is_given for entry in settings.issuers):
        found.append(
            Error(
                _("TESSERA['ISSUERS'] has an entry whose keys are fetched, and urllib3 is not installed."),
                hint=_('Run pip install "drf-tessera[issuers]", or write the keys into the entry.'),
                id="tessera.E044",
            )
        )
    shared = [(entry.user_field, entry.user_claim) for entry in settings.issuers if entry.user_field]
    found += [
        django_checks.Warning(
            _(
                "TESSERA['ISSUERS']: two issuers find users by %(claim)r in the field %(name)r. Each of them"
                " can name a user of the other."
            )
            % {"claim": claim, "name": name},
            hint=_("Give each issuer a field of its own, unless both mean the same persons."),
            id="tessera.W041",
        )
        for name, claim in sorted({pair for pair in shared if shared.count(pair) > 1})
    ]
    return found
