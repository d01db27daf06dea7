"""Claims that nobody can change, because a verified token is remembered and given to later requests too."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any


def freeze(value: Any) -> Any:
    """Return a read-only form of parsed JSON."""
    if isinstance(value, dict):
        return MappingProxyType({name: freeze(item) for name, item in value.items()})
    return tuple(freeze(item) for item in value) if isinstance(value, list) else value


def thaw(value: Any) -> Any:
    """Return a plain copy of the read-only form that :func:`freeze` made."""
    if isinstance(value, MappingProxyType):
        return {name: thaw(item) for name, item in value.items()}
    return [thaw(item) for item in value] if isinstance(value, tuple) else value
