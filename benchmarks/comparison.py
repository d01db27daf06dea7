"""``python -m benchmarks.comparison [--json] [--write]``: the table "why not ..." of the README.

Asks drf-tessera and the packages that people know the same questions: each in its own environment, on SQLite,
by its own endpoints. ``--write`` puts the table into the README, and what was found into
``benchmarks/results/comparison.json``. Not a part of ``make bench``: the only time that is measured is how
long another process takes to notice a logout.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks import environments
from benchmarks.peers import ROOT, Peer
from benchmarks.progress import say
from benchmarks.workers import Worker, make_keys, working

Facts = dict[str, Any]

RESULT: Final = ROOT / "benchmarks" / "results" / "comparison.json"
README: Final = ROOT / "README.md"
BLOCK: Final = re.compile(r"(?<=<!-- comparison -->\n).*?(?=<!-- end of comparison -->)", re.DOTALL)
"""Where the table stands in the README."""

USERS: Final = 60
PAUSES: Final = (0, 0.25, 0.5, 0.75)
"""Seconds between the last request to the other process and the logout."""
ABSENT: Final = "n/a"
OLD: Final = "djangorestframework-jwt"
_IMPORT_OLD: Final = (
    "import django.conf; django.conf.settings.configure(SECRET_KEY='k' * 50);"
    "django.setup(); import rest_framework_jwt.authentication"
)

PROBES: Final = {
    "queries": "count_queries",
    "refresh": "count_refresh",
    "password": "change_password",
    "replay": "replay",
    "twice": "refresh_twice",
    "secrets": "find_secrets",
    "another site": "refresh_from_another_site",
}
"""The questions in one process: the names of the facts, and functions of ``benchmarks.inside.comparison``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One package, with the protections switched on that it offers."""

    title: str
    distribution: str
    peer: Peer
    misspelt: Mapping[str, Any] = field(default_factory=dict)
    """A setting of the package with one letter missing; empty if the package has no settings."""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings for single probes."""


def _make(name: str, scheme: str, environment: str, **settings: Any) -> Peer:
    return Peer(
        name=f"comparison-{name}", title=name, environment=environment, scheme=scheme, settings=settings
    )


_BLACKLIST: Final = {
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,
}

COLUMNS: Final = (
    Column(
        title="drf-tessera",
        distribution="drf-tessera",
        peer=_make("tessera", "tessera", "tessera"),
        misspelt={"TESSERA": {"ACCES_LIFETIME": 300}},
        variants={
            "replay": {"TESSERA": {"REFRESH_GRACE": 1}},  # its 30 seconds would be waited for, twice
            "another site": {"TESSERA": {"PROFILE": "browser"}},
        },
    ),
    Column(
        title="simplejwt",
        distribution="djangorestframework-simplejwt",
        peer=_make("simplejwt", "simplejwt-blacklist", "simplejwt", SIMPLE_JWT=_BLACKLIST),
        misspelt={"SIMPLE_JWT": {"ACCES_TOKEN_LIFETIME": 300}},
    ),
    Column(
        title="DRF Token",
        distribution="djangorestframework",
        peer=_make("drf-token", "drf-token", "drf"),
    ),
    Column(
        title="knox",
        distribution="django-rest-knox",
        peer=_make("knox", "knox", "knox"),
        misspelt={"REST_KNOX": {"TOKN_TTL": 300}},
    ),
    Column(
        title="dj-rest-auth",
        distribution="dj-rest-auth",
        peer=_make(
            "dj-rest-auth",
            "dj-rest-auth",
            "dj-rest-auth",
            INSTALLED_APPS=["rest_framework_simplejwt.token_blacklist"],
            SIMPLE_JWT=_BLACKLIST,
            REST_AUTH={"JWT_AUTH_HTTPONLY": True, "JWT_AUTH_COOKIE_USE_CSRF": True},
        ),
        misspelt={"REST_AUTH": {"JWT_AUTH_COOKI": "access"}},
    ),
    Column(
        title="allauth (JWT)",
        distribution="django-allauth",
        peer=_make("allauth", "allauth", "allauth", HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED=True),
        misspelt={"HEADLESS_JWT_ACCES_TOKEN_EXPIRES_IN": 300},
    ),
    Column(
        title="oauth-toolkit",
        distribution="django-oauth-toolkit",
        peer=_make(
            "oauth-toolkit",
            "oauth-toolkit",
            "oauth-toolkit",
            OAUTH2_PROVIDER={
                "REFRESH_TOKEN_REUSE_PROTECTION": True,
                "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 30,
                "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
            },
        ),
        misspelt={"OAUTH2_PROVIDER": {"ACCES_TOKEN_EXPIRE_SECONDS": 300}},
    ),
)


def main() -> int:
    """Send the requests to every package, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print what was found and not the table")
    parser.add_argument("--write", action="store_true", help="write the README and benchmarks/results/")
    arguments = parser.parse_args()
    if environments.make_all([*(column.peer.environment for column in COLUMNS), OLD]):
        return 1
    make_keys()
    found: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "old": _import_old(),
        "packages": {},
    }
    for number, column in enumerate(COLUMNS, 1):
        say(f"=== {number} of {len(COLUMNS)}: {column.title} ===")
        found["packages"][column.title] = _examine(column)
    if arguments.write:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
        README.write_text(put_into(README.read_text(), found))
        say(f"written to {RESULT.relative_to(ROOT)} and {README.relative_to(ROOT)}")
    print(json.dumps(found, indent=1) if arguments.json else render(found), end="")
    return 0


def put_into(readme: str, found: Facts) -> str:
    """Return the text of the README with the table of these facts.

    Raises:
        ValueError: the README has no place for it.
    """
    text, replaced = BLOCK.subn(lambda _: render(found), readme)
    if replaced != 1:
        raise ValueError(f"The README has {replaced} places for the table, and should have one.")
    return text


def render(found: Facts) -> str:
    """Return the table and the sentences below it."""
    packages = found["packages"]
    lines = ["| | " + " | ".join(packages) + " |", "|---" * (len(packages) + 1) + "|"]
    for title, tell in ROWS.items():
        lines.append(f"| {title} | " + " | ".join(tell(it["facts"]) for it in packages.values()) + " |")
    versions = ", ".join(f"{name} {it['version']}" for name, it in packages.items())
    lines += [
        "",
        f"`python -m benchmarks.comparison` found this on {found['date']} by the endpoints of {versions}.",
        "Each has its protections switched on, and drf-tessera its defaults"
        " ([settings and facts](benchmarks/results/comparison.json)).",
        _tell_old(found["old"]),
    ]
    return "\n".join(lines) + "\n"


def _tell_queries(facts: Facts) -> str:
    request, refresh = facts["queries"], facts["refresh"]
    untouched, touched = request["untouched"], request["touched"]
    first = f"{untouched}" if untouched == touched else f"{untouched} (reading the user: {touched})"
    return f"{first} / {refresh['statements'] if refresh else ABSENT}"


def _tell_logout(facts: Facts) -> str:
    logout = facts["logout"]
    if logout["here"] or logout["elsewhere"] is None:
        return "**still works**"
    seconds = math.ceil(logout["elsewhere"] - 0.1)  # a tenth for asking
    return f"refused; in other processes within {seconds} s" if seconds > 0 else "refused"


def _tell_password(facts: Facts) -> str:
    return "**still works**" if any(facts["password"].values()) else "refused"


def _tell_replay(facts: Facts) -> str:
    replay = facts["replay"]
    if replay is None:
        return ABSENT
    if replay["accepted"]:
        return "**accepted**"
    return "**session goes on**" if replay["access"] or replay["refresh"] else "session ends"


def _tell_twice(facts: Facts) -> str:
    twice = facts["twice"]
    if twice is None:
        return ABSENT
    words = {2: "both go on", 1: "**one is logged out**", 0: "**both are logged out**"}
    return words[twice["first"] + twice["second"]]


def _tell_secrets(facts: Facts) -> str:
    words = {"access": "token", "refresh": "refresh token", "session": "session key"}
    return "**" + ", ".join(words[it] for it in facts["secrets"]) + "**" if facts["secrets"] else "none"


def _tell_another_site(facts: Facts) -> str:
    return {None: ABSENT, True: "**accepted**", False: "refused"}[facts["another site"]]


def _tell_misspelt(facts: Facts) -> str:
    return {None: ABSENT, True: "reported", False: "**not noticed**"}[facts["misspelt"]]


def _tell_old(old: Facts) -> str:
    what = f"{OLD} {old['version']} on Django {old['django']}"
    return f"{what}: `{old['error']}`." if old["error"] else f"{what} can be imported."


ROWS: Final[Mapping[str, Callable[[Facts], str]]] = {
    "Queries for a request / for a refresh": _tell_queries,
    "An access token after a logout": _tell_logout,
    "A token after a password change": _tell_password,
    "An old refresh token is used again": _tell_replay,
    "Two tabs refresh with one token": _tell_twice,
    "Another site makes a browser refresh by cookie": _tell_another_site,
    "Secrets in the database as they are": _tell_secrets,
    "A misspelt setting, by `manage.py check`": _tell_misspelt,
}


def _examine(column: Column) -> Facts:
    variants = {
        name: replace(
            column.peer,
            name=f"{column.peer.name}-{name.replace(' ', '-')}",
            settings={**column.peer.settings, **more},
        )
        for name, more in column.variants.items()
    }
    facts: Facts = {}
    with working(column.peer, "sqlite") as worker:
        worker.ask("comparison.prepare", users=USERS)
        for name in PROBES:
            if name not in variants:
                facts[name] = _probe(worker, name)
        facts["logout"] = _log_out(column.peer, worker)
    for name, peer in variants.items():
        with working(peer, "sqlite") as worker:
            worker.ask("comparison.prepare", users=USERS)
            facts[name] = _probe(worker, name)
    facts["misspelt"] = _misspell(column) if column.misspelt else None
    return {
        "version": _read_version(column.peer.environment, column.distribution),
        "settings": dict(column.peer.settings),
        "settings of single questions": dict(column.variants),
        "facts": facts,
    }


def _probe(worker: Worker, name: str) -> Any:
    say(name)
    return worker.ask(f"comparison.{PROBES[name]}")


def _log_out(peer: Peer, here: Worker) -> Facts:
    """Log out in one process, and see how long another process lets the access token in."""
    say("logout")
    there = Worker(peer, "sqlite")
    try:
        waited: list[float | None] = []
        works = False
        for pause in PAUSES:
            headers = here.ask("comparison.log_in")
            time.sleep(1)  # what the other process knows is old, so the next request brings it up to date
            there.ask("comparison.demand", headers=headers)
            time.sleep(pause)
            works = here.ask("comparison.log_out")
            waited.append(there.ask("comparison.wait_for_refusal", headers=headers))
            if waited[-1] is None:
                return {"here": works, "elsewhere": None}
        return {"here": works, "elsewhere": round(max(it for it in waited if it is not None), 3)}
    finally:
        there.close(drop=False)


def _misspell(column: Column) -> bool:
    """Return whether ``manage.py check`` names the misspelt setting."""
    say("misspelt setting")
    ((name, value),) = column.misspelt.items()
    settings = dict(column.peer.settings)
    both = isinstance(value, dict) and isinstance(settings.get(name), dict)
    settings[name] = {**settings[name], **value} if both else value
    word = next(iter(value)) if isinstance(value, dict) else name
    done = subprocess.run(
        [str(environments.python_of(column.peer.environment)), "-m", "django", "check"],
        cwd=ROOT,
        env=replace(column.peer, settings=settings).describe("sqlite"),
        capture_output=True,
        text=True,
        check=False,
    )
    return word in done.stdout + done.stderr


def _import_old() -> Facts:
    """Return how the import of djangorestframework-jwt ends."""
    python = str(environments.python_of(OLD))
    done = subprocess.run([python, "-c", _IMPORT_OLD], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1] if done.returncode else None
    return {
        "version": _read_version(OLD, OLD),
        "django": _read_version(OLD, "django"),
        "error": last and last.partition(" (/")[0],  # without the path of this machine
    }


def _read_version(environment: str, distribution: str) -> str:
    packages = environments.list_packages(environment)
    return {name.replace("_", "-"): version for name, version in packages.items()}[distribution]


if __name__ == "__main__":
    sys.exit(main())
