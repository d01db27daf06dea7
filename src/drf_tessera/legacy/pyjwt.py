"""PyJWT: tokens that it wrote for packages which came before, read by it until they expire.

None of ours is written or read here (see ``jose``).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import get_settings

if TYPE_CHECKING:
    from jwt.types import Options


@sensitive_variables()
def decode(
    raw: str,
    keys: Iterable[Any],
    *,
    algorithm: str,
    audience: Any = None,
    issuer: Any = None,
    leeway: float | timedelta = 0,
    any_audience: bool = False,
) -> dict[str, Any]:
    """Verify a token by one of ``keys`` and give its claims. It has to be signed, and to expire.

    The algorithm is the caller's, whatever the token says. Beyond that claims are read as PyJWT read them
    when it was older: a number for a ``sub`` was no fault then, and those tokens are still out.

    Args:
        raw: whatever a stranger sent.
        keys: tried one after the other.
        algorithm: such as ``HS256``.
        audience: what ``aud`` has to name; without one the token must have none.
        issuer: what ``iss`` has to be, if it has to be anything.
        leeway: seconds that ``exp`` and ``nbf`` may be off.
        any_audience: do not look at ``aud``.

    Raises:
        jwt.InvalidTokenError: in one of its kinds, and nothing else whatever was sent. All have expired
            once ``LEGACY_TOKENS_UNTIL`` has come.
    """
    if not get_settings().takes_legacy_tokens:
        raise jwt.ExpiredSignatureError("Tokens of this kind are not taken any more.")
    options: Options = {
        "require": ["exp"],
        "verify_aud": not any_audience,
        "verify_sub": False,
        "verify_jti": False,
        "verify_iat": False,
    }
    for key in keys:
        try:
            found: dict[str, Any] = jwt.decode(
                raw,
                key,
                algorithms=[algorithm],
                audience=audience,
                issuer=issuer,
                leeway=leeway,
                options=options,
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidKeyError, RecursionError, OverflowError) as error:
            raise jwt.DecodeError(str(error)) from None
        return found
    raise jwt.InvalidSignatureError("Signature verification failed")


@sensitive_variables()
def peek(raw: str) -> dict[str, Any]:
    """Read claims that nobody has verified: to find out which key or which rule is meant.

    Raises:
        jwt.InvalidTokenError: it cannot be read.
    """
    try:
        found: dict[str, Any] = jwt.decode(raw, options={"verify_signature": False})
    except RecursionError as error:
        raise jwt.DecodeError(str(error)) from None
    return found


def load_key(algorithm: str, key: Any) -> object:
    """Read a key as :func:`decode` will.

    Raises:
        jwt.InvalidKeyError, ValueError, TypeError, NotImplementedError: whatever PyJWT says of a bad one.
    """
    return jwt.get_algorithm_by_name(algorithm).prepare_key(key)


@sensitive_variables()
def describe_key(algorithm: str, key: Any) -> dict[str, Any]:
    """Write a private key, in PEM or as an object of ``cryptography``, as ``TESSERA["KEYS"]`` takes it."""
    # What is no such key, or one of another kind, goes on as it is: what is wrong with it is said there.
    if hasattr(key, "private_bytes"):
        with suppress(jwt.InvalidKeyError, AttributeError, NotImplementedError):
            return {"alg": algorithm, "jwk": jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)}
    return {"alg": algorithm, "pem": key}
