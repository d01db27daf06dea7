"""Tokens that nobody can change, because a verified token is remembered and given to later requests too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenToken:
    """The parent of verified tokens. Index a token to read any claim.

    ``claims`` has tuples for lists and read-only mappings for objects; indexing returns a plain copy. The
    token can be pickled. A copy is the token itself, because nothing can change it.
    """

    claims: Mapping[str, Any] = field(repr=False, hash=False)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be pickled.
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return _restore, (type(self), {**values, "claims": thaw(self.claims)})

    def __getitem__(self, claim: str) -> Any:
        return thaw(self.claims[claim])

    def get(self, claim: str, default: Any = None) -> Any:
        """Return a claim, or ``default`` if the token has no claim of that name."""
        return thaw(self.claims[claim]) if claim in self.claims else default


def _restore(kind: type[FrozenToken], values: dict[str, Any]) -> FrozenToken:
    """Return the token of a pickle."""
    return kind(**{**values, "claims": freeze(values["claims"])})
