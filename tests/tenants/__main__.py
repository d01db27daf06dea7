"""Check the rules for one kind of project, and print the rules that do not hold."""

from __future__ import annotations

import logging
import os
import sys
import traceback


def main(kind: str, *task: str) -> int:
    os.environ["TESSERA_TENANTS"] = kind
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.tenants.settings"
    import django

    django.setup()
    logging.disable(logging.CRITICAL)  # Django logs each refused request
    from tests.tenants import rules

    if task:
        rules.revoke_by_command()
        return 0
    rules.clock.install()
    rules.prepare()
    broken = 0
    for rule in rules.RULES:
        try:
            rule()
        except Exception:  # noqa: BLE001 - each rule is reported
            broken += 1
            sys.stdout.write(f"{rule.__name__} does not hold:\n{traceback.format_exc()}\n")
    sys.stdout.write(f"{len(rules.RULES) - broken} rules hold.\n")
    return broken


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
