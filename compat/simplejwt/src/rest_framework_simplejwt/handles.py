"""The texts in the column ``token`` of simplejwt's table: from a text to the session that it names."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.exceptions import Refusal
from drf_tessera.sessions import HANDLE_PREFIX, adopt_many, is_foreign, read_handle, write_handle
from drf_tessera.tokens import REFRESH_PREFIX, read_refresh_token
from rest_framework_simplejwt import legacy, listing
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import aware_utcnow


@sensitive_variables()
def hide(token: Any) -> Any:
    """Return the handle of the session for a refresh token. Return every other text unchanged.

    A refresh token of simplejwt has a session after its first use. Its signature is verified here, because
    code that ends the session of a text must not end a session for a forged text.
    """
    if not isinstance(token, str):
        return token
    try:
        if token.startswith(REFRESH_PREFIX):
            return write_handle(read_refresh_token(token))
        if is_foreign(token):
            claims = legacy.decode(token, "refresh")
            old = legacy.make_predecessor(claims, legacy.find_jti(claims, token))
            return listing.find_handle(old.session_id) or token
    except (Refusal, TokenError):
        return token
    return token


@sensitive_variables()
def end_session(row: Any) -> None:
    """End the session of a row.

    The row stands for a session, or for a token of simplejwt that started a session or could start one.
    """
    token = hide(row.token)
    if token.startswith(HANDLE_PREFIX):
        with suppress(Refusal):  # the session has already ended
            sessions.revoke(read_handle(token).session_id)
    elif token:
        old = listing.describe_row(row.jti, row.created_at, row.expires_at)
        if row.user_id is not None and row.expires_at > aware_utcnow():
            adopt_many([(old, row.user_id, True)])  # ended, so that a simultaneous refresh cannot start it
        sessions.revoke(old.session_id)
    with suppress(ValueError):  # not every jti of simplejwt is a UUID
        sessions.revoke(UUID(row.jti))
