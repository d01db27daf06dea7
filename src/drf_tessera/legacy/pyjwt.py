"""Read the tokens that other packages wrote with PyJWT, until those tokens expire.

Our own tokens are neither written nor read here (see ``jose``).
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
    """Verify a token with one of ``keys`` and return its claims. The token must be signed, and must expire.

    The caller chooses the algorithm. The header of the token cannot choose another one. The claims are
    checked as older versions of PyJWT checked them, because tokens from that time are still in use. For
    example, ``sub`` may be a number.

    Args:
        raw: a stranger's text.
        keys: the keys. They are tried one after the other.
        algorithm: the algorithm of the signature, such as ``HS256``.
        audience: the audience that ``aud`` must contain. Without an audience the token must have no ``aud``.
        issuer: the value that ``iss`` must have. Without an issuer any ``iss`` is accepted.
        leeway: the number of seconds by which ``exp`` and ``nbf`` may be off.
        any_audience: accept any ``aud``.

    Raises:
        jwt.InvalidTokenError: the token is not valid. This error and its subclasses are the only errors, for
            any text. After ``LEGACY_TOKENS_UNTIL`` every token counts as expired.
    """
    if not get_settings().takes_legacy_tokens:
        raise jwt.ExpiredSignatureError("Tokens of this kind are no longer accepted.")
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
    """Read the claims of a token that is not verified yet. The caller needs them to choose a key or a rule.

    Raises:
        jwt.InvalidTokenError: the token cannot be read.
    """
    try:
        found: dict[str, Any] = jwt.decode(raw, options={"verify_signature": False})
    except RecursionError as error:
        raise jwt.DecodeError(str(error)) from None
    return found


def load_key(algorithm: str, key: Any) -> object:
    """Read a key in the same way as :func:`decode`.

    Raises:
        jwt.InvalidKeyError, ValueError, TypeError, NotImplementedError: PyJWT cannot read the key.
    """
    return jwt.get_algorithm_by_name(algorithm).prepare_key(key)


@sensitive_variables()
def describe_key(algorithm: str, key: Any) -> dict[str, Any]:
    """Return an entry of ``TESSERA["KEYS"]`` for a private key in PEM or as an object of ``cryptography``."""
    # A key that PyJWT cannot convert is returned unchanged, because the reader of KEYS explains the problem.
    if hasattr(key, "private_bytes"):
        with suppress(jwt.InvalidKeyError, AttributeError, NotImplementedError):
            return {"alg": algorithm, "jwk": jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)}
    return {"alg": algorithm, "pem": key}
