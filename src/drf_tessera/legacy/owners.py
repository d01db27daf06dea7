"""The distributions that own the import name of another package, and what pip has left of their files.

Two distributions with the same import name overwrite and delete each other's files. This module reads only
the metadata of distributions, so it works although the files of a package are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from django.core.checks import CheckMessage, Error
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """An import name, our distribution that has it, and the distributions of other people."""

    package: str
    ours: str
    originals: tuple[str, ...]
    prefix: str
    """The prefix of the checks of our distribution."""


NAMES: Final = (
    Name(
        package="rest_framework_simplejwt",
        ours="drf-tessera-simplejwt",
        originals=("djangorestframework-simplejwt",),
        prefix="tessera_simplejwt",
    ),
    Name(
        package="rest_framework_jwt",
        ours="drf-tessera-jwt",
        originals=("djangorestframework-jwt", "drf-jwt"),
        prefix="tessera_jwt",
    ),
)


def find_damage() -> list[CheckMessage]:
    """Report E001 (two owners of one import name) and E006 (pip has deleted files of ours)."""
    found: list[CheckMessage] = []
    for name in NAMES:
        mine = _find(name.ours)
        if mine is None:
            continue
        repair = f"pip install --force-reinstall --no-deps {name.ours}"
        others = [original for original in name.originals if _find(original)]
        for original in others:
            text = _(
                "%(one)s and %(other)s are both installed, and both contain the package %(package)s."
            ) % {"one": original, "other": name.ours, "package": name.package}
            hint = f"pip uninstall {original}; {repair}"
            found.append(Error(text, hint=hint, id=f"{name.prefix}.E001"))
        if not others and _count_missing(mine):
            text = _(
                "Files of %(name)s are missing. Perhaps another package with its files was uninstalled."
            ) % {"name": name.ours}
            found.append(Error(text, hint=repair, id=f"{name.prefix}.E006"))
    return found


def is_installed(name: str) -> bool:
    """Return whether a distribution is installed."""
    return _find(name) is not None


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _count_missing(found: Distribution) -> int:
    files = found.files or ()
    return sum(path.suffix == ".py" and not found.locate_file(path).exists() for path in files)  # type: ignore[attr-defined]
