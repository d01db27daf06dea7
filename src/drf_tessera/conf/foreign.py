"""Settings of other packages, which count where ``TESSERA`` is silent, and their tokens, if expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings as django_settings

from drf_tessera.conf.values import Problem, Reader, WrongValueError
from drf_tessera.texts import Text

Translator = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From the value of another package's setting to keys of ``TESSERA``."""

TRANSLATORS: Final[dict[str, tuple[Translator, Mapping[str, Reader]]]] = {}
"""By the name of a Django setting: its translator, and the readers of its keys."""

_expecting = {"legacy tokens": False}


def expect_legacy_tokens() -> None:
    """Record that tokens of another package may still be in use. Call this in ``AppConfig.ready``.

    From then on, ending all sessions of a user also ends the legacy tokens that have not started a session
    yet (:func:`drf_tessera.sessions.adopt`). This costs one row for each such user.
    """
    _expecting["legacy tokens"] = True


def expects_legacy_tokens() -> bool:
    """Return whether :func:`expect_legacy_tokens` was called.

    The answer does not depend on ``LEGACY_TOKENS_UNTIL``, because a project can move that date later.
    """
    return _expecting["legacy tokens"]


def read_foreign(own: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """Read all settings of other packages, translated to keys of ``TESSERA``.

    Args:
        own: the project's own ``TESSERA``. Its keys settle contradictions between other packages.

    Returns:
        The translated values, the name of the setting that each key comes from, and the problems.
    """
    found: dict[str, Any] = {}
    source: dict[str, str] = {}
    problems = []
    for name, (translate, readers) in sorted(TRANSLATORS.items()):
        raw, wrong = _read_setting(name, readers)
        problems += wrong
        for key, value in translate(raw).items():
            if key in found and found[key] != value and key not in own:
                problems.append(
                    Problem(
                        id="tessera.E019",
                        message=Text(
                            "%(one)s and %(other)s contradict each other about %(key)s.",
                            one=source[key],
                            other=name,
                            key=key,
                        ),
                        hint=Text("Write %(key)s into TESSERA to choose one of them.", key=key),
                    )
                )
            found[key], source[key] = value, name
    return found, {key: name for key, name in source.items() if key not in own}, problems


def _read_setting(name: str, readers: Mapping[str, Reader]) -> tuple[dict[str, Any], list[Problem]]:
    """Read one setting of another package. A value with a problem is left out."""
    raw: Any = getattr(django_settings, name, None) or {}
    if not isinstance(raw, Mapping):
        text = Text("%(name)s must be a dict, not %(kind)s.", name=name, kind=type(raw).__name__)
        return {}, [Problem(id="tessera.E020", message=text, hint=Text("Or leave it out."))]
    good, problems = dict(raw), []
    for key in readers.keys() & raw.keys():
        try:
            good[key] = readers[key](raw[key])
        except WrongValueError as wrong:
            del good[key]
            text = Text("%(name)s[%(key)r] %(fault)s", name=name, key=key, fault=wrong.message)
            problems.append(Problem(id="tessera.E020", message=text, hint=wrong.hint))
    return good, problems
