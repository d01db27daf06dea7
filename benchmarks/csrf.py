"""``python -m benchmarks.csrf``: the peers' answers to the requests of ``docs/explanation/cookies.md``.

The command prints a Markdown table. It is not a part of ``make bench``, because it measures no time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from benchmarks import environments
from benchmarks.peers import ROOT
from tests.rest.csrf_cases import CASES

SCHEMES: Final = {
    "dj-rest-auth, refresh": ("dj-rest-auth", "dj-rest-auth", "refresh"),
    "dj-rest-auth, refresh, with `JWT_AUTH_COOKIE_USE_CSRF`": (
        "dj-rest-auth",
        "dj-rest-auth-csrf",
        "refresh",
    ),
    "dj-rest-auth, a view": ("dj-rest-auth", "dj-rest-auth", "view"),
    "dj-rest-auth, a view, with `JWT_AUTH_COOKIE_USE_CSRF`": ("dj-rest-auth", "dj-rest-auth-csrf", "view"),
    "Django's session, a view": ("drf", "session", "view"),
}
"""The columns. Each has its environment, its scheme in ``benchmarks.inside.csrf``, and its target."""


def main() -> int:
    """Send the requests to each peer, and print the answers."""
    columns = {}
    for title, (environment, scheme, target) in SCHEMES.items():
        environments.make(environment)
        command = [str(environments.python_of(environment)), "-m", "benchmarks.inside.csrf", scheme, target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
        if done.returncode:
            sys.exit(f"{title}: {done.stderr}")
        columns[title] = json.loads(done.stdout)
    print("| request |", " | ".join(columns), "|")
    print("|---|" + "---|" * len(columns))
    for case in CASES:
        print(f"| {case} |", " | ".join(columns[title][case] for title in columns), "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
