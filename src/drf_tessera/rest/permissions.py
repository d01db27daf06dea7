"""Permissions by the scopes and the claims of a token, ours or another issuer's.

:func:`HasScope` and :func:`HasClaim` return permission classes, so they stand in ``permission_classes`` and
can be joined with ``&``, ``|`` and ``~``. A refusal is a 403 ``insufficient_scope`` with a challenge
(RFC 6750, section 3.1).

:func:`RecentLogin` and :func:`AuthenticatedBy` return permission classes too. Their refusal is a 401
``insufficient_user_authentication`` (RFC 9470): the person proves their identity again, within the session.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from rest_framework.permissions import AND, BasePermission, OperandHolder, SingleOperandHolder
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import Impersonated, ProjectError, ProofNeeded, ScopeMissing
from drf_tessera.http import remember_failure, write_challenge
from drf_tessera.issuers import ForeignToken, matches_claim
from drf_tessera.rest.errors import to_api_exception
from drf_tessera.rest.foreign import find_token
from drf_tessera.rest.requests import get_django_request
from drf_tessera.tokens import AccessToken, PersonalToken, is_scope


class TokenPermission(BasePermission):
    """The parent of the permissions by the token. A request without a token has none of them."""

    code: str = ScopeMissing.code
    scopes: ClassVar[tuple[str, ...]] = ()
    """The scopes that the challenge names."""
    _view: Any = None

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the token of the request is enough."""
        token = find_token(request)
        if token is None:
            return False
        self._view = view
        return self.allows(token)

    def allows(self, token: AccessToken | ForeignToken) -> bool:
        """Return whether a token is enough."""
        raise NotImplementedError

    @property
    def message(self) -> str:
        """The text of the refusal.

        REST framework reads it when the request is certainly refused, and at no other time. So the challenge
        is set here, because behind ``|`` another permission may still allow the request.
        """
        error, headers = ScopeMissing(self.scopes), getattr(self._view, "headers", None)
        if isinstance(headers, dict):  # without a token the answer is a 401, which has its own challenge
            headers["WWW-Authenticate"] = write_challenge(error, path=self._view.request.path)
        return error.detail


def list_alternatives(kinds: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the sets of scopes of which a token needs one, for ``permission_classes``.

    An empty set means that no scope is needed, for example because another permission is enough. A claim, and
    a permission behind ``~``, names no scope.
    """
    found: list[tuple[str, ...]] = [()]
    for kind in kinds:
        found = [_join(one, other) for one in found for other in _list_alternatives(kind)]
    return sorted(set(found))


def _list_alternatives(kind: Any) -> list[tuple[str, ...]]:
    if isinstance(kind, OperandHolder):
        pair = (kind.op1_class, kind.op2_class)
        both: Any = AND  # for the stubs it is not a permission class
        if kind.operator_class is both:
            return list_alternatives(pair)
        return [found for part in pair for found in _list_alternatives(part)]
    if isinstance(kind, type) and issubclass(kind, TokenPermission):
        return [tuple(sorted(kind.scopes))]
    return [()]


def _join(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def describe_scopes(alternatives: Iterable[tuple[str, ...]]) -> str:
    """Return a text for API users about the scopes that :func:`list_alternatives` has found."""
    texts = [" and ".join(f"`{scope}`" for scope in scopes) for scopes in alternatives]
    if not all(texts):
        return "The access token does not have the scopes or claims that this request needs."
    return f"The access token does not have the scopes that this request needs: {', or '.join(texts)}."


def judges_token(kinds: Iterable[Any]) -> bool:
    """Return whether one of ``permission_classes`` may refuse a token for its scopes or claims."""
    return any(
        judges_token((kind.op1_class, getattr(kind, "op2_class", None)))
        if isinstance(kind, OperandHolder | SingleOperandHolder)
        else isinstance(kind, type) and issubclass(kind, TokenPermission)
        for kind in kinds
    )


def _are_words(names: tuple[str, ...]) -> bool:
    """Return whether there are names, and each is a single word (RFC 6749, section 3.3)."""
    return bool(names) and all(is_scope(name) and " " not in name for name in names)


def HasScope(*scopes: str) -> type[TokenPermission]:  # noqa: N802 - it stands where classes stand
    """Return a permission class for tokens that have all of ``scopes``.

    Raises:
        ProjectError: there is no scope, or one is not a single word (RFC 6749, section 3.3).
    """
    if not _are_words(scopes):
        raise ProjectError(f"HasScope needs scopes, each of them one word, not {scopes!r}.")
    wanted = scopes

    class HasScopes(TokenPermission):
        """Allows tokens with certain scopes."""

        scopes = wanted

        def allows(self, token: AccessToken | ForeignToken) -> bool:
            return token.scopes.issuperset(wanted)

    return HasScopes


def HasClaim(name: str, value: Any) -> type[TokenPermission]:  # noqa: N802 - see HasScope
    """Return a permission class for tokens whose claim ``name`` is ``value``, or is a list that has it.

    Args:
        name: the name of the claim.
        value: the value. A list, tuple or set has several values, of which one is enough.
    """

    class HasValue(TokenPermission):
        """Allows tokens with a certain claim."""

        def allows(self, token: AccessToken | ForeignToken) -> bool:
            return matches_claim(token.get(name), value)

    return HasValue


class ProofPermission(BasePermission):
    """The parent of the permissions by the proof of identity. A request without a token has none of them.

    Put the class itself into ``permission_classes``. Behind ``&``, ``|`` and ``~`` REST framework asks it for
    no text, so the refusal is a 403 without a challenge. A personal access token proves nothing about a
    person.
    """

    _view: Any = None

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the proof of the token is enough."""
        token = find_token(request)
        if token is None or isinstance(token, PersonalToken):
            return False
        if is_impersonated(token):  # the user has proved nothing
            return False
        self._view = view
        return self.allows(token)

    def allows(self, token: AccessToken | ForeignToken) -> bool:
        """Return whether the proof of a token is enough."""
        raise NotImplementedError

    def explain(self) -> ProofNeeded:
        """Return the refusal."""
        raise NotImplementedError

    @property
    def message(self) -> str:
        """The text of the refusal of a request without a token. For every other request it is a 401.

        REST framework reads it when the request is certainly refused, and at no other time.
        """
        if self._view is not None:
            error, request = self.explain(), self._view.request
            remember_failure(get_django_request(request), error)
            raise to_api_exception(error, request)
        return ProofNeeded().detail


def RecentLogin(max_age: timedelta) -> type[ProofPermission]:  # noqa: N802 - see HasScope
    """Return a permission class for tokens whose user proved their identity at most ``max_age`` ago.

    Raises:
        ProjectError: ``max_age`` is shorter than a second.
    """
    seconds = int(max_age.total_seconds())
    if seconds < 1:
        raise ProjectError("RecentLogin needs at least a second.")

    class IsRecent(ProofPermission):
        """Allows tokens of a recent proof."""

        def allows(self, token: AccessToken | ForeignToken) -> bool:
            moment, now = token.get("auth_time"), time.time()
            # Another issuer may write milliseconds, and a login in the future would always be recent.
            latest = now + get_settings().clock_skew.total_seconds()
            return isinstance(moment, int | float) and now - seconds <= moment <= latest

        def explain(self) -> ProofNeeded:
            return ProofNeeded(max_age=seconds)

    return IsRecent


def AuthenticatedBy(*ways: str) -> type[ProofPermission]:  # noqa: N802 - see HasScope
    """Return a permission class for tokens whose ``amr`` has one of ``ways``, such as ``"otp"`` (RFC 8176).

    The challenge names the ways in ``acr_values``, so a token whose ``acr`` is one of them is let in too.

    Raises:
        ProjectError: there is no way, or one is not a single word.
    """
    if not _are_words(ways):
        raise ProjectError(f"AuthenticatedBy needs ways, each of them one word, not {ways!r}.")

    class HasWay(ProofPermission):
        """Allows tokens of certain ways to log in."""

        def allows(self, token: AccessToken | ForeignToken) -> bool:
            found = token.get("amr")
            known = map(str, found) if isinstance(found, list | tuple) else ()
            return not set(ways).isdisjoint((*known, str(token.get("acr", ""))))

        def explain(self) -> ProofNeeded:
            return ProofNeeded(ways=ways)

    return HasWay


def is_impersonated(token: object) -> bool:
    """Return whether somebody acts as the user of a token (``act``, RFC 8693)."""
    return isinstance(token, AccessToken | ForeignToken) and "act" in token.claims


class NotImpersonated(BasePermission):
    """Refuses tokens with which somebody acts as the user: a 403 ``impersonated``.

    For views that change a password, a factor or a session, or that only the person may use.
    """

    code: str = Impersonated.code

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the user acts in person."""
        return not is_impersonated(find_token(request))

    @property
    def message(self) -> str:
        """The text of the refusal."""
        return Impersonated().detail
