"""Read tokens that a previous package wrote with PyJWT, until these tokens expire.

This module neither reads nor writes tokens of drf-tessera; ``jose`` does so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import get_settings
from drf_tessera.jose.encoding import EncodingError, decode_base64url, decode_json_object

if TYPE_CHECKING:
    from jwt.types import Options


@sensitive_variables()
def decode(
    token: str,
    keys: Iterable[Any],
    *,
    algorithm: str,
    audience: Any = None,
    issuer: Any = None,
    leeway: float | timedelta = 0,
    any_audience: bool = False,
) -> dict[str, Any]:
    """Verify a token with one of ``keys`` and return its claims.

    The token must be signed and must have ``exp``. The caller chooses the algorithm, and the token cannot
    change it. Claims are checked as older versions of PyJWT did: ``sub`` may be a number, because such
    tokens are still in use.

    Args:
        token: any text that a client sent.
        keys: the keys to try, one after the other.
        algorithm: the name of the algorithm, such as ``HS256``.
        audience: ``aud`` must contain this audience. Without an audience the token must not have ``aud``.
        issuer: the required ``iss``. Without an issuer ``iss`` is not checked.
        leeway: the tolerance for ``exp`` and ``nbf``, in seconds.
        any_audience: do not check ``aud``.

    Raises:
        jwt.InvalidTokenError: the token is not valid. No other error is raised for any token. After
            ``LEGACY_TOKENS_UNTIL`` every token counts as expired.
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
    _check_form(token)
    for key in keys:
        try:
            found: dict[str, Any] = jwt.decode(
                token,
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
            raise jwt.DecodeError(type(error).__name__) from None
        return found
    raise jwt.InvalidSignatureError("Signature verification failed")


@sensitive_variables()
def peek(token: str) -> dict[str, Any]:
    """Return the unverified claims of a token. Use them only to choose a key or a rule.

    Raises:
        jwt.InvalidTokenError: the token cannot be read.
    """
    _check_form(token)
    try:
        found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except RecursionError:
        raise jwt.DecodeError("nested too deeply") from None
    return found


@sensitive_variables()
def _check_form(token: str) -> None:
    """Check that the header and the claims are JSON that every code can handle.

    PyJWT accepts values that break code after the signature was verified: see
    :func:`~drf_tessera.jose.encoding.decode_json_object`.

    Raises:
        jwt.DecodeError: a part is not such JSON.
    """
    try:
        for credentials in token.encode("ascii").split(b".", 2)[:2]:
            decode_json_object(decode_base64url(credentials))
    except (EncodingError, UnicodeEncodeError):
        raise jwt.DecodeError("Invalid token") from None


def load_key(algorithm: str, key: Any) -> object:
    """Return a key in the form that :func:`decode` uses.

    Raises:
        jwt.InvalidKeyError, ValueError, TypeError, NotImplementedError: PyJWT cannot use the key.
    """
    return jwt.get_algorithm_by_name(algorithm).prepare_key(key)


@sensitive_variables()
def describe_key(algorithm: str, key: Any) -> dict[str, Any]:
    """Return an entry for ``TESSERA["KEYS"]``. ``key`` is a PEM or a private key of ``cryptography``."""
    # A key of another kind is passed on unchanged, because the reader of TESSERA["KEYS"] reports its fault.
    if hasattr(key, "private_bytes"):
        with suppress(jwt.InvalidKeyError, AttributeError, NotImplementedError):
            return {"alg": algorithm, "jwk": jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)}
    return {"alg": algorithm, "pem": key}


@sensitive_variables()
def describe_secret(algorithm: str, secret: Any) -> dict[str, Any] | None:
    """Return an entry for ``TESSERA["KEYS"]``. ``SECRET_KEY`` is never such a key."""
    return {"alg": algorithm, "secret": secret} if secret and secret != settings.SECRET_KEY else None
