"""``manage.py tessera_keys``: show, rotate, withdraw and export the keys that sign access tokens."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera import audit, keys
from drf_tessera.conf import DEFAULT_ALGORITHM, current_tenant, get_settings
from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.jose.life import NEVER
from drf_tessera.management.places import PlaceCommand, add_place_options
from drf_tessera.revocation import publish_keys
from drf_tessera.tokens import list_public_keys

_TIMES: Final = ("published_at", "signs_at", "retires_at", "gone_at")


class Command(PlaceCommand):
    """Manage the keys that sign access tokens. ``docs/howto/keys.md`` has each task."""

    help: str = gettext_noop(
        "Manage the keys that sign access tokens. Two servers may run this at once. Exit codes: 0 done, "
        "1 refused, 2 wrong arguments, 3 the database or the cache did not answer, so run the command again."
    )

    by_table = False  # each tenant has keys of its own, also if the tenants share the table

    def add_arguments(self, parser: CommandParser) -> None:
        """Add one sub-command for each task."""
        tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
        texts = {
            "list": _("show the keys and their stages"),
            "generate": _(
                "print a new private key as a JWK Set, for KEYS or a mounted file. Nothing is stored"
            ),
            "rotate": _("publish the next key in the database. It signs when every verifier can have it"),
            "retire": _("let the next key take over from a key, or withdraw a stolen key"),
            "export": _("print the keys as a JWK Set"),
        }
        for name, text in texts.items():
            task = tasks.add_parser(name, help=text, description=text)
            if name != "generate":
                add_place_options(task)
            if name not in {"generate", "export"}:
                task.add_argument("--json", action="store_true", help=_("write JSON to stdout"))
            if name in {"generate", "rotate"}:
                task.add_argument("--alg", help=_("the algorithm (default: that of KEYS, or Ed25519)"))
            if name == "rotate":
                task.add_argument(
                    "--if-due", action="store_true", help=_("only if KEY_ROTATION is over, for cron")
                )
            if name == "retire":
                task.add_argument("kid", help=_("the key, or the beginning of its kid"))
                task.add_argument(
                    "--now", action="store_true", help=_("the key is stolen: refuse its tokens at once")
                )
            if name == "export":
                task.add_argument(
                    "--private",
                    action="store_true",
                    help=_("with the private parts of the keys in the database"),
                )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one task. A new key that is not stored belongs to no tenant."""
        if options["task"] == "generate":
            self._generate(options)
        else:
            super().handle(*args, **options)

    def act(self, *args: Any, **options: Any) -> None:
        """Do one task."""
        task: Callable[[dict[str, Any]], None] = getattr(self, f"_{options['task']}")
        task(options)

    def _list(self, options: dict[str, Any]) -> None:
        stored = keys.list_keys() if keys.uses_database(get_settings()) else []
        ring = keys.find_book().find()
        known = {key.kid for key in stored}
        rows = [
            {
                "kid": key.kid,
                "alg": key.alg,
                "stage": "signing" if key == ring.signing else "verifying",
                "source": "settings",
                **dict.fromkeys(_TIMES),
            }
            for key in ring.keys
            if key.kid not in known
        ] + [_describe(key) for key in stored]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            times = ", ".join(f"{name[:-3]} {row[name]}" for name in _TIMES if row[name])
            self.stdout.write(f"{row['stage']:<10} {row['alg']:<8} {row['kid']}  {times}".rstrip())

    def _generate(self, options: dict[str, Any]) -> None:
        try:
            jwk = generate_jwk(options["alg"] or DEFAULT_ALGORITHM)
        except KeyMaterialError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(json.dumps({"keys": [jwk]}, indent=2))

    def _rotate(self, options: dict[str, Any]) -> None:
        key, is_new = keys.rotate_keys(options["alg"], if_due=options["if_due"])
        if is_new:
            publish_keys(timezone.now())
            audit.record("key_rotated", level=logging.WARNING, kid=key.kid, alg=key.alg)
        text = (
            _("%(kid)s was published. It signs from %(time)s.")
            if is_new
            else _("%(kid)s is published. It signs from %(time)s.")
        )
        self._report(key, options, text % {"kid": key.kid, "time": _write_time(key.life.signs_at)})

    def _retire(self, options: dict[str, Any]) -> None:
        if not options["now"]:
            key = keys.retire_key(options["kid"])
            publish_keys(timezone.now())
            audit.record("key_retired", level=logging.WARNING, kid=options["kid"])
            text = _("%(kid)s takes over at %(time)s.")
            self._report(key, options, text % {"kid": key.kid, "time": _write_time(key.life.signs_at)})
            return
        following = keys.revoke_key(options["kid"])
        publish_keys(timezone.now())
        audit.record("key_revoked", level=logging.WARNING, kid=options["kid"])
        text = _("No server accepts its tokens within REVOCATION_POLL.")
        if following:
            text += " " + _("%(kid)s signs now.") % {"kid": following.kid}
        self._report(following, options, text)

    def _export(self, options: dict[str, Any]) -> None:
        if options["private"]:
            settings, tenant = get_settings(), current_tenant()
            found = [keys.open_private(key, settings, tenant) for key in keys.list_keys() if key.private]
        else:
            found = list_public_keys()
        self.stdout.write(json.dumps({"keys": found}, indent=2))

    def _report(self, key: keys.Listed | None, options: dict[str, Any], text: str) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(None if key is None else _describe(key)))
        else:
            self.stdout.write(self.style.SUCCESS(text))


def _describe(key: keys.Listed) -> Mapping[str, Any]:
    return {
        "kid": key.kid,
        "alg": key.alg,
        "stage": key.stage.value,
        "source": "database",
        "published_at": _write_time(key.published_at),
        "signs_at": _write_time(key.life.signs_at),
        "retires_at": _write_time(key.retires_at),
        "gone_at": _write_time(key.gone_at),
    }


def _write_time(seconds: float) -> str | None:
    if seconds == NEVER:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")
