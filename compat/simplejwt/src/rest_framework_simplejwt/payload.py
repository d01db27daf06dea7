"""The claims of a token object: a dict that asks its token before each change.

A project can change a claim by ``token["x"]``, ``token.payload["x"]``, ``update``, ``setdefault``, ``|=``,
``pop``, ``popitem``, ``clear``, ``del`` and ``token.payload = {...}``. All of them call ``admit`` or
``dismiss``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from django.core.exceptions import ImproperlyConfigured

from drf_tessera.tokens import REGISTERED_CLAIMS, is_scope
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import count_seconds

TAKEN: Final = REGISTERED_CLAIMS - {"iat", "exp", "jti", "scope"}
"""Claims that a project cannot set to another value than drf-tessera."""
KEPT: Final = REGISTERED_CLAIMS - {"scope"}
"""Claims that a project cannot remove."""


class Guard(Protocol):
    """The owner of a payload."""

    def admit(self, key: str, value: Any) -> Any:
        """Return the value to store, or raise an error if the token cannot honour it."""

    def dismiss(self, key: str) -> None:
        """Return if the claim may be removed, or raise an error."""


class Payload(dict[str, Any]):
    """The claims of one token."""

    def __init__(self, guard: Guard, claims: Mapping[str, Any] | None = None) -> None:
        super().__init__(claims or {})
        self._guard = guard

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy belongs to no token. A token restores its own payload (``Token.__setstate__``).
        return dict, (dict(self),)

    def fill(self, claims: Mapping[str, Any]) -> None:
        """Store claims of the package itself."""
        super().update(claims)

    def drop(self, key: str) -> None:
        """Remove a claim of the package itself, if it is there."""
        super().pop(key, None)

    def replace(self, claims: Mapping[str, Any]) -> None:
        """Make the claims equal to ``claims``."""
        for key in self.keys() - claims.keys():
            del self[key]
        for key, value in claims.items():
            if key not in self or self[key] != value:
                self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, self._guard.admit(key, value))

    def __delitem__(self, key: str) -> None:
        if key in self:
            self._guard.dismiss(key)
        super().__delitem__(key)

    def __ior__(self, other: Any) -> Payload:  # type: ignore[override,misc]  # it changes the same object
        self.update(other)
        return self

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several claims."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Set a claim that is missing, and return the claim."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a claim and return it."""
        if key not in self:
            return super().pop(key, *default)
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the last claim and return it with its name."""
        key = next(reversed(self), None)
        if key is None:
            return super().popitem()
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove all claims."""
        for key in list(self):
            del self[key]


def check_claim(key: str, value: Any, registered: Any) -> None:
    """Check a claim that a project sets. ``registered`` is the value that drf-tessera will write.

    Raises:
        ImproperlyConfigured: no token can have this claim.
    """
    if key in TAKEN and key != api_settings.USER_ID_CLAIM and value != registered:
        raise ImproperlyConfigured(f"A project cannot set the claim {key!r}: drf-tessera sets it.")
    if key == "scope" and value != "" and not is_scope(value):
        raise ImproperlyConfigured(
            "A scope must be one string, with spaces between its parts (RFC 6749, section 3.3)."
        )
    if key in {"exp", "iat"}:
        try:
            count_seconds(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"The claim {key!r} must be a time: {error}") from None
    if key == "jti" and (not isinstance(value, str) or not value):
        raise ImproperlyConfigured(f"The claim 'jti' must be a text, not {value!r}.")


def check_removal(key: str) -> None:
    """Check a claim that a project removes.

    Raises:
        ImproperlyConfigured: each token has this claim.
    """
    if key in KEPT or key == api_settings.JTI_CLAIM:
        raise ImproperlyConfigured(f"A project cannot remove the claim {key!r}: each token has it.")
