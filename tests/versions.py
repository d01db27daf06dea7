"""Run the quick tests on each Python, Django and REST framework: ``python -m tests.versions``.

``--corners`` runs only the oldest and the newest of everything. ``tests/matrix.py`` has both corners in CI.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.environments import find_pythons, install_versions
from tests.matrix import PARALLEL, QUICK, Run, report_times, run_each

DJANGO = (
    ("5.2.0", "django-5.2.txt", 11),
    ("5.2", "", 11),
    ("6.0", "django-6.0.txt", 12),
    ("6.1", "django-6.1.txt", 12),
)
"""Each Django, the file that pins it, and the oldest Python for it. Without a file, test.txt pins it."""

REST = (("3.16.0", "drf-3.16.txt"), ("newest", ""))
"""Each REST framework, and the file that pins it."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One combination of versions. ``pinned`` are the files that are installed over test.txt."""

    python: int
    django: str
    rest: str
    pinned: tuple[str, ...]

    def __str__(self) -> str:
        return f"Python 3.{self.python}, Django {self.django}, REST framework {self.rest}"


def list_corners(pythons: list[int]) -> Iterator[Corner]:
    """Yield each combination that exists. The oldest Django runs only with the oldest of both others."""
    for python in sorted(pythons):
        for django, django_file, oldest in DJANGO:
            for rest, rest_file in REST:
                if python < oldest or (django == "5.2.0" and (rest, python) != ("3.16.0", min(pythons))):
                    continue
                yield Corner(python, django, rest, tuple(filter(None, (django_file, rest_file))))


def choose_ends(corners: list[Corner]) -> list[Corner]:
    """Return the oldest and the newest combination."""
    return [corners[0], corners[-1]]


def prepare(corners: list[Corner], pythons: dict[int, str]) -> Iterator[Run]:
    """Install each combination when its turn comes, and yield its run."""
    for corner in corners:
        try:
            inside = install_versions(pythons[corner.python], f"3.{corner.python}", corner.pinned)
        except subprocess.CalledProcessError as error:
            # A Python for which a pinned package has no distribution yet is a visible failure, not a skip.
            print(f"\n{corner}: the packages cannot be installed ({error}).")  # noqa: T201 - for people
            yield Run(f"{corner}: not installed", "sqlite", (), python="/bin/false", measured=False)
            continue
        yield Run(str(corner), "sqlite", (*PARALLEL, "-m", QUICK), python=inside, measured=False)


def main(arguments: list[str]) -> int:
    """Run the combinations. Return 1 if one of them failed."""
    pythons = find_pythons()
    corners = list(list_corners(list(pythons)))
    chosen = choose_ends(corners) if "--corners" in arguments else corners
    results = list(run_each(prepare(chosen, pythons)))
    report_times(results)
    passed = sum(result.passed for result in results)
    print(f"\n{passed} of {len(results)} combinations passed.")  # noqa: T201 - the outcome, for people
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
