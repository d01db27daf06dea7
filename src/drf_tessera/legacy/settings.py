"""The setting of a previous package, such as ``SIMPLE_JWT``: read live, and checked like ``TESSERA``.

The distributions under ``compat/`` use this module. :func:`drf_tessera.conf.translate_setting` registers
the function that translates such a setting into keys of ``TESSERA``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.test.signals import setting_changed
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from drf_tessera.conf import READERS, Reader, WrongValueError, give_example, suggest_key
from drf_tessera.jose.algorithms import ALGORITHMS
from drf_tessera.texts import Text

_ID: Final = "tessera.E020"
_USE_DEFAULT: Final = Text("To use the default, remove the key.")
_META_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_ALIKE: Final = 0.75
"""The least similarity of two words. VERFY and VERIFY are similar enough, RESET and REFRESH are not."""

_COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class UserSettings(MutableMapping[str, Any]):
    """The project's own value of a setting. Tests of projects change it; the change counts at once.

    The originals read their setting once, and give out the very dict of the project. So a change of
    ``api_settings.user_settings`` is a change of ``settings.SIMPLE_JWT``, too.
    """

    def __init__(self, name: str, target: Any, more: Mapping[str, Any]) -> None:
        self._name, self._target = name, target
        self._values = {**target, **more} if isinstance(target, Mapping) else dict(more)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value
        self._change(lambda found: found.update({key: value}))

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._change(lambda found: found.pop(key, None))

    def _change(self, change: Callable[[Any], object]) -> None:
        if not isinstance(self._target, MutableMapping):
            self._target = dict(self._target) if isinstance(self._target, Mapping) else {}
            setattr(django_settings, self._name, self._target)
        change(self._target)
        setting_changed.send(type(self), setting=self._name, value=self._target, enter=True)


class LegacySettings:
    """The ``api_settings`` of a previous package.

    Each access to an attribute reads Django's settings, so no value is stale.
    """

    name: ClassVar[str]
    """The name of Django's setting, such as ``SIMPLE_JWT``."""
    defaults: ClassVar[Mapping[str, Any]]
    """Every key, with the value that applies if the project does not set the key."""
    paths: ClassVar[frozenset[str]]
    """The keys whose values are dotted paths or lists of dotted paths. An attribute returns the objects."""

    given: MutableMapping[str, Any] | None = None
    """A value in place of the Django setting."""

    @property
    def user_settings(self) -> UserSettings:
        """The project's own value, with the attributes that a test has set on this object.

        The value is empty if the setting is not a dict (``tessera.E020``).
        """
        changed = {key: value for key, value in vars(self).items() if key in self.defaults}
        return UserSettings(self.name, self._find(), changed)

    def __getattr__(self, name: str) -> Any:
        if name not in self.defaults:
            raise AttributeError(f"Invalid API setting: '{name}'")
        value = self.look_up(name)
        return _load(value) if name in self.paths else value

    def look_up(self, name: str) -> Any:
        """Return a key's value as the project wrote it. Subclasses override the value of some keys."""
        if name in vars(self):
            return vars(self)[name]
        target = self._find()
        return target.get(name, self.defaults[name]) if isinstance(target, Mapping) else self.defaults[name]

    def _find(self) -> Any:
        return self.given if self.given is not None else getattr(django_settings, self.name, None)

    def reload(self) -> None:
        """Do nothing, because no value is cached. Tests of projects call this method."""


def _load(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_load(item) for item in value]
    return import_string(value) if isinstance(value, str) else value


def to_seconds(duration: timedelta | float | None) -> float:
    """Return the seconds of a leeway or a limit, in each form that the previous packages accept."""
    return duration.total_seconds() if isinstance(duration, timedelta) else duration or 0


def find_unknown(prefix: str, settings: LegacySettings) -> list[CheckMessage]:
    """Report E002 for a misspelt key, and W005 for a key that the previous package never had.

    The previous packages ignored such keys, so some projects keep their own values in the setting.
    """
    found: list[CheckMessage] = []
    for key in settings.user_settings:
        if key in settings.defaults:
            continue
        text = _("%(setting)s has no key %(key)r.") % {"setting": settings.name, "key": key}
        if any(_resembles(str(key).upper(), known) for known in settings.defaults):
            found.append(Error(text, hint=suggest_key(key, settings.defaults).shown, id=f"{prefix}.E002"))
        else:
            hint = _(
                "No package reads this key. If your own code reads it, move it to a setting of your own."
            )
            found.append(Caution(text, hint=hint, id=f"{prefix}.W005"))
    return found


def _resembles(key: str, known: str) -> bool:
    """Return whether a key is a misspelt known key: each word of the key is nearly the known word."""
    pairs = list(zip(key.split("_"), known.split("_"), strict=False))
    alike = all(difflib.SequenceMatcher(None, *pair).ratio() >= _ALIKE for pair in pairs)
    same = key.replace("_", "") == known.replace("_", "")
    return same or (alike and key.count("_") == known.count("_"))


def find_unloadable(prefix: str, settings: LegacySettings, keys: Iterable[str]) -> list[CheckMessage]:
    """Report E003: values of ``keys`` that are not callable and not the dotted path of a callable."""
    found: list[CheckMessage] = []
    for key in sorted(settings.user_settings.keys() & set(keys)):
        problem = _find_fault(settings.user_settings[key], settings.defaults[key])
        if problem:
            text = Text("%(name)s[%(key)r] %(fault)s", name=settings.name, key=key, fault=problem).shown
            hint = _("Write a dotted path, and check its spelling.")
            found.append(Error(text, hint=hint, id=f"{prefix}.E003"))
    return found


def _find_fault(value: Any, default: Any) -> Text | None:
    """Return the fault of one value, or ``None`` if the value is valid.

    The value may be a list only if the default is a list, and ``None`` only if the default is ``None``.
    """
    try:
        loaded = _load(value)
    except (ImportError, ValueError) as error:  # ValueError: a path that begins with a dot
        return Text("cannot be imported: %(error)s", error=error)
    several = loaded if isinstance(loaded, list) and isinstance(default, list | tuple) else [loaded]
    good = all(callable(item) or (item is None and default is None) for item in several)
    return None if good else Text("must be a function, a class, or the dotted path of a function or class.")


def find_bad_key(
    prefix: str, settings: LegacySettings, key: str, load: Callable[[Any], object]
) -> list[CheckMessage]:
    """Report E003: a key that ``load`` cannot read. ``load`` belongs to the library for old tokens."""
    value = settings.user_settings.get(key)
    try:
        if value:
            load(value)
    except Exception as error:  # noqa: BLE001 - the library raises many unrelated types for a bad key
        text = _("%(name)s[%(key)r] cannot be read as a key, so its tokens would be refused: %(error)s") % {
            "name": settings.name,
            "key": key,
            "error": error,
        }
        return [Error(text, hint=_("Write the key in PEM."), id=f"{prefix}.E003")]
    return []


def find_missing_pair(
    prefix: str, settings: LegacySettings, algorithm: str, private: str, public: str
) -> list[CheckMessage]:
    """Report E003: an algorithm with a pair of keys, without both keys. The arguments name settings."""
    raw = settings.user_settings
    chosen = str(raw.get(algorithm, settings.defaults[algorithm]))
    if chosen.startswith("HS") or (raw.get(private) and raw.get(public)):
        return []
    values = {"name": settings.name, "key": algorithm, "value": chosen, "private": private, "public": public}
    text = _("%(name)s[%(key)r] is %(value)r without %(private)s and %(public)s.") % values
    hint = _("Set both keys, in PEM. A service that only verifies tokens keeps the original package.")
    return [Error(text, hint=hint, id=f"{prefix}.E003")]


# -- Translations into ``TESSERA`` ------------------------------------------------------


def rename_keys(raw: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of ``raw`` under other names. A value such as ``None`` or 0 is left out."""
    return {new: raw[old] for old, new in names.items() if raw.get(old)}


# -- More readers; the readers of TESSERA are in ``conf.READERS`` -----------------------


def read_optional(read: Reader) -> Reader:
    """Return a reader that also accepts ``None``."""
    return lambda value: None if value is None else read(value)


def list_switches(defaults: Mapping[str, Any]) -> dict[str, Reader]:
    """Return a reader for each key whose default is a bool. Such a key accepts only ``True`` or ``False``."""
    return {key: READERS["ACCESS_COOKIE"] for key, value in defaults.items() if isinstance(value, bool)}


def read_text(value: object) -> str:
    """Read a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise WrongValueError(
            _ID, Text("must be a non-empty string, not %(value)r.", value=value), _USE_DEFAULT
        )
    return value


def read_prefixes(value: object) -> tuple[str, ...]:
    """Read one scheme of the header ``Authorization``, or a list of schemes."""
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not several:
        text = Text("must be a list of words, not %(value)r.", value=value)
        raise WrongValueError(_ID, text, give_example('("Bearer",)'))
    for item in several:
        READERS["HEADER_PREFIX"](item)
    return tuple(several)


def read_paths(value: object) -> tuple[Any, ...]:
    """Read a list of classes or of dotted paths of classes."""
    if not isinstance(value, list | tuple) or not value:
        raise WrongValueError(
            _ID, Text("must be a list of dotted paths, not %(value)r.", value=value), _USE_DEFAULT
        )
    return tuple(value)


def read_algorithm(value: object) -> str:
    """Read the name of an algorithm."""
    if not isinstance(value, str) or value not in ALGORITHMS:
        known = Text("The algorithms are: %(names)s.", names=", ".join(sorted(ALGORITHMS)))
        text = Text("is %(value)r, but drf-tessera has no such algorithm.", value=value)
        raise WrongValueError(_ID, text, known)
    return value


def read_meta_key(value: object) -> str:
    """Read a key of ``request.META``."""
    if not isinstance(value, str) or not _META_KEY.fullmatch(value):
        text = Text("must be a key of request.META, not %(value)r.", value=value)
        raise WrongValueError(
            _ID, text, Text('For example: "HTTP_X_AUTHORIZATION", for the header X-Authorization.')
        )
    return value


def read_cookie_name(value: object) -> str:
    """Read the name of a cookie (RFC 6265, section 4.1.1)."""
    if not isinstance(value, str) or not _COOKIE_NAME.fullmatch(value):
        text = Text("must be the name of a cookie, not %(value)r.", value=value)
        raise WrongValueError(_ID, text, give_example('"access"'))
    return value
