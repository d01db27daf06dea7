"""Tokens in the form of the original packages, made with the same library."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings


def simplejwt_token(user: Any, kind: str = "refresh", *, key: str | None = None, **claims: Any) -> str:
    now = int(time.time())
    body = {
        "token_type": kind,
        "exp": now + (86_400 if kind == "refresh" else 300),
        "iat": now - 10,
        "jti": uuid4().hex,
        "user_id": str(user.pk),
        **claims,
    }
    return jwt.encode(body, key or settings.SECRET_KEY, algorithm=claims.pop("alg", "HS256"))


def tutorial_token(user: Any, *, key: str | None = None, **claims: Any) -> str:
    """Return a token of djangorestframework-jwt 1.11, with refresh allowed."""
    now = int(time.time())
    body = {
        "user_id": user.pk,
        "username": user.get_username(),
        "exp": now + 300,
        "email": user.email,
        "orig_iat": now - 10,
        **claims,
    }
    return jwt.encode(body, key or settings.SECRET_KEY, algorithm="HS256")
