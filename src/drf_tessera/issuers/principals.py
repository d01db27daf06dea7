"""The verified token of another issuer, and the caller that it stands for if it has no user of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from drf_tessera.tokens import FrozenToken


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignToken(FrozenToken):
    """A verified token of another issuer: the value of ``request.auth``. Index it to read any claim.

    It has no session of ours, so it has no ``session_id``: nobody here can end it. Like our own token it is
    remembered, cannot be changed, and can be pickled.
    """

    issuer: str
    sub: str
    scopes: frozenset[str]
    """From the claim of ``scope_claim``."""
    expires_at: int


class Principal:
    """A caller without a row: the value of ``request.user`` if an entry of ``ISSUERS`` maps to no user.

    It has what REST framework's permissions and throttles ask for. It is authenticated, and Django's
    permissions give it nothing, because only scopes and claims say what it may do.
    """

    is_authenticated: Literal[True] = True
    is_anonymous: Literal[False] = False
    is_active: Literal[True] = True
    is_staff: Literal[False] = False
    is_superuser: Literal[False] = False

    def __init__(self, token: ForeignToken) -> None:
        self.token = token

    @property
    def pk(self) -> str:
        """A text that no other caller has: REST framework's throttles count by it."""
        return f"{self.token.issuer}|{self.token.sub}"

    @property
    def id(self) -> str:
        """The same as ``pk``."""
        return self.pk

    @property
    def sub(self) -> str:
        """The claim ``sub``."""
        return self.token.sub

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims of the token."""
        return self.token.claims

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of the token."""
        return self.token.scopes

    def __str__(self) -> str:
        return self.token.sub

    def __repr__(self) -> str:
        return f"<Principal: {self.pk}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Principal) and other.pk == self.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def get_username(self) -> str:
        """Return ``sub``."""
        return self.token.sub

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return ``False``: Django's permissions belong to users."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """Return whether the list is empty."""
        return not list(perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        """Return ``False``."""
        return False
