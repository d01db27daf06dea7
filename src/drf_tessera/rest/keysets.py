"""The public keys at ``/.well-known/jwks.json``, for services that verify tokens.

The view is a plain view of Django, because caches and verifiers expect neither a renderer nor a login.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response

from drf_tessera.conf import enter_tenant, get_settings
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.http import public_document
from drf_tessera.tokens import list_public_keys

CONTENT_TYPE: Final = "application/jwk-set+json"
"""RFC 7517, section 8.5.2."""


@public_document
def show_key_set(request: HttpRequest, **kwargs: object) -> HttpResponseBase:
    """Return the public keys, newest first. A secret and a private part are never among them.

    Each tenant has its own keys in the database. The route may have arguments, such as the name of a tenant.

    A cache may keep the answer for ``JWKS_MAX_AGE``, because a new key is published for longer than that
    before it signs.
    """
    enter_tenant(request)
    try:
        body = json.dumps({"keys": list_public_keys()}).encode()
    except TemporarilyUnavailable as error:
        answer = HttpResponse(
            json.dumps({"detail": error.detail, "code": error.code}), "application/json", status=503
        )
        answer["Retry-After"], answer["Cache-Control"] = "1", "no-store"
        return answer
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    found = get_conditional_response(request, etag=etag, response=HttpResponse(body, CONTENT_TYPE))
    answer = found if isinstance(found, HttpResponse) else HttpResponse(status=304)
    answer["ETag"] = etag
    answer["Cache-Control"] = f"public, max-age={int(get_settings().jwks_max_age.total_seconds())}"
    return answer


urlpatterns: list[URLPattern] = [
    path(".well-known/jwks.json", show_key_set, name="token_key_set"),
]
