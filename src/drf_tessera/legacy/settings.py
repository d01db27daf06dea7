"""The setting of a package that came before: read live, and checked as closely as ours.

For the distributions under ``compat/``. What such a setting means for us says its translation
(:func:`drf_tessera.conf.translate_setting`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Final

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.utils.module_loading import import_string

from drf_tessera.conf import READERS, Reader, WrongValueError, suggest_key
from drf_tessera.jose.algorithms import ALGORITHMS

_ID: Final = "tessera.E020"
_META_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_ALIKE: Final = 0.75
"""VERFY is VERIFY, and RESET is not REFRESH."""

_COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class LegacySettings:
    """A package's ``api_settings``: each attribute is read when it is asked for, so nothing is stale."""

    name: ClassVar[str]
    """Of Django's setting, such as ``SIMPLE_JWT``."""
    defaults: ClassVar[Mapping[str, Any]]
    """Every key, with what counts where the project is silent."""
    paths: ClassVar[frozenset[str]]
    """The keys whose values are dotted paths, or lists of them; an attribute gives what they lead to."""

    @property
    def user_settings(self) -> Mapping[str, Any]:
        """What the project wrote; nothing, if that is no dict (``tessera.E020``)."""
        raw = getattr(django_settings, self.name, None)
        return raw if isinstance(raw, Mapping) else {}

    def __getattr__(self, name: str) -> Any:
        if name not in self.defaults:
            raise AttributeError(f"Invalid API setting: '{name}'")
        value = self.look_up(name)
        return _load(value) if name in self.paths else value

    def look_up(self, name: str) -> Any:
        """Give a key's value as it was written. Subclasses say where another one counts."""
        return self.user_settings.get(name, self.defaults[name])

    def reload(self) -> None:
        """Do nothing: nothing is kept. Projects' tests call it."""


def _load(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_load(item) for item in value]
    return import_string(value) if isinstance(value, str) else value


def count_seconds(duration: timedelta | float | None) -> float:
    """Give the seconds of a leeway or a limit, in each of the forms that the packages take."""
    return duration.total_seconds() if isinstance(duration, timedelta) else duration or 0


def find_originals(prefix: str, ours: str, owned: str, originals: Iterable[str]) -> list[CheckMessage]:
    """Report E001: two distributions own one import name, and files of both lie about."""
    return [
        Error(
            f"{name} is installed beside {ours}, and both own {owned}.",
            hint=f"pip uninstall {name}; pip install --force-reinstall --no-deps {ours}",
            id=f"{prefix}.E001",
        )
        for name in originals
        if _is_installed(name)
    ]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def find_unknown(prefix: str, settings: LegacySettings) -> list[CheckMessage]:
    """Report E002, keys that are misspelt, and W005, keys that the package never had.

    The packages themselves asked for neither, so projects keep things of their own there.
    """
    found: list[CheckMessage] = []
    for key in settings.user_settings:
        if key in settings.defaults:
            continue
        text = f"{settings.name} has no key {key!r}."
        if any(_resembles(str(key).upper(), known) for known in settings.defaults):
            found.append(Error(text, hint=suggest_key(key, settings.defaults), id=f"{prefix}.E002"))
        else:
            hint = "Nothing here reads it. If your own code does, keep it in a setting of your own."
            found.append(Caution(text, hint=hint, id=f"{prefix}.W005"))
    return found


def _resembles(key: str, known: str) -> bool:
    """Tell whether a key is a known one with letters wrong: word for word nearly the same."""
    pairs = list(zip(key.split("_"), known.split("_"), strict=False))
    alike = all(difflib.SequenceMatcher(None, *pair).ratio() >= _ALIKE for pair in pairs)
    same = key.replace("_", "") == known.replace("_", "")
    return same or (alike and key.count("_") == known.count("_"))


def find_unloadable(prefix: str, settings: LegacySettings, keys: Iterable[str]) -> list[CheckMessage]:
    """Report E003: values of ``keys`` that lead to nothing that can be called."""
    found: list[CheckMessage] = []
    for key in sorted(settings.user_settings.keys() & set(keys)):
        problem = _find_fault(settings.user_settings[key], settings.defaults[key])
        if problem:
            text = f"{settings.name}[{key!r}] {problem}"
            found.append(Error(text, hint="Give a dotted path; check its spelling.", id=f"{prefix}.E003"))
    return found


def _find_fault(value: Any, default: Any) -> str:
    """Say what is wrong with one value; nothing, if it is as it should be.

    It is a list, or ``None``, only where the default is.
    """
    try:
        loaded = _load(value)
    except (ImportError, ValueError) as error:  # ValueError: a path that begins with its point
        return f"cannot be imported: {error}"
    several = loaded if isinstance(loaded, list) and isinstance(default, list | tuple) else [loaded]
    good = all(callable(item) or (item is None and default is None) for item in several)
    return "" if good else "is no function or class, nor the path of one."


def find_bad_key(
    prefix: str, settings: LegacySettings, key: str, load: Callable[[Any], object]
) -> list[CheckMessage]:
    """Report E003: key material that ``load``, of the library which verifies old tokens, cannot read."""
    value = settings.user_settings.get(key)
    try:
        if value:
            load(value)
    except Exception as error:  # noqa: BLE001 - whatever that library says of a bad key is told here
        text = f"{settings.name}[{key!r}] cannot be read as a key: {error}"
        return [Error(text, hint="Give it in PEM. Its tokens would all be refused.", id=f"{prefix}.E003")]
    return []


# -- Shapes, beside those of TESSERA (drf_tessera.conf.values.READERS) ---------------------------------


def read_optional(read: Reader) -> Reader:
    """Give a reader that takes ``None``, too."""
    return lambda value: None if value is None else read(value)


def list_switches(defaults: Mapping[str, Any]) -> dict[str, Reader]:
    """Give the shapes of the keys that are on or off by default: they take nothing else."""
    return {key: READERS["ACCESS_COOKIE"] for key, value in defaults.items() if isinstance(value, bool)}


def read_text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise WrongValueError(_ID, f"must be a text, not {value!r}.", "Or leave the key out.")
    return value


def read_prefixes(value: object) -> tuple[str, ...]:
    """Read one scheme of the header ``Authorization``, or a list of some."""
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not several:
        raise WrongValueError(_ID, f"must be a list of words, not {value!r}.", 'Like ("Bearer",).')
    for item in several:
        READERS["HEADER_PREFIX"](item)
    return tuple(several)


def read_paths(value: object) -> tuple[Any, ...]:
    """Read a list of classes, or of their paths."""
    if not isinstance(value, list | tuple) or not value:
        raise WrongValueError(_ID, f"must be a list of dotted paths, not {value!r}.", "Or leave the key out.")
    return tuple(value)


def read_algorithm(value: object) -> str:
    """Read the name of an algorithm."""
    if not isinstance(value, str) or value not in ALGORITHMS:
        known = f"There are: {', '.join(sorted(ALGORITHMS))}."
        raise WrongValueError(_ID, f"is {value!r}, which is no algorithm of ours.", known)
    return value


def read_meta_key(value: object) -> str:
    """Read a key of ``request.META``."""
    if not isinstance(value, str) or not _META_KEY.fullmatch(value):
        text = f"must be a key of request.META, not {value!r}."
        raise WrongValueError(_ID, text, 'Like "HTTP_X_AUTHORIZATION", for the header X-Authorization.')
    return value


def read_cookie_name(value: object) -> str:
    """Read the name of a cookie (RFC 6265, section 4.1.1)."""
    if not isinstance(value, str) or not _COOKIE_NAME.fullmatch(value):
        raise WrongValueError(_ID, f"must be the name of a cookie, not {value!r}.", 'Like "access".')
    return value
