"""The ways to authenticate, as security schemes of OpenAPI. No generator of schemas is needed here."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings as django_settings

from drf_tessera.conf import AUTHORIZATION, get_settings
from drf_tessera.http import name_cookies, offers_ambient
from drf_tessera.rest.authentication import JWTAuthentication

Schema = dict[str, Any]

SCHEME: Final = "tesseraAuth"
"""The name of the security scheme of the access token in the header."""
ACCESS_COOKIE: Final = "tesseraAccessCookie"
REFRESH_COOKIE: Final = "tesseraRefreshCookie"
CSRF: Final = "tesseraCsrf"
CLIENT: Final = "tesseraClient"
"""The name of the security scheme of a program that asks about tokens."""

SETS: Final = "If the session uses cookies: the cookie `{0}` of the refresh token is set."
CLEARS: Final = "If the session used cookies: the cookie `{0}` is deleted."
SETS_ACCESS: Final = "The cookie `{1}` of the access token is set."
"""The texts of the header ``Set-Cookie``. The last one has no refresh token."""

_CHECKED: Final = (
    "A browser sends the cookie by itself. A request that changes something must come from a page of the "
    "site: browsers prove this by the headers `Origin` and `Sec-Fetch-Site`. A client without these headers "
    f"sends Django's CSRF token, too (`{CSRF}`)."
)


def list_access_schemes(kind: type[Any]) -> dict[str, Schema]:
    """Return the security schemes of an authentication class, by name."""
    settings = get_settings()
    # A subclass that reads the token from another place has a scheme with its own name.
    name = SCHEME if kind.get_header is JWTAuthentication.get_header else kind.__name__
    found = {name: _describe_header()}
    if settings.access_cookie:
        about = f"The access token in a cookie that no script can read. {_CHECKED}"
        found[ACCESS_COOKIE] = _describe_cookie(name_cookies()[1], about)
        found[CSRF] = describe_csrf()
    return found


def _describe_header() -> Schema:
    settings = get_settings()
    if (settings.header_name, settings.header_prefix) == (AUTHORIZATION, "Bearer"):
        about = "The access token of a login: the field `access` of its answer."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": about}
    about = f"The value is `{settings.header_prefix} <access token>`."
    return {"type": "apiKey", "in": "header", "name": settings.header_name, "description": about}


def _describe_cookie(name: str, about: str) -> Schema:
    return {"type": "apiKey", "in": "cookie", "name": name, "description": about}


def describe_refresh_cookie() -> Schema:
    """Return the scheme of the refresh token in its cookie."""
    about = f"The refresh token in a cookie that no script can read. {_CHECKED}"
    return _describe_cookie(name_cookies()[0], about)


def describe_csrf() -> Schema:
    """Return the scheme of Django's CSRF token."""
    name = django_settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-").title()
    about = f"Django's CSRF token, which is also in the cookie `{django_settings.CSRF_COOKIE_NAME}`. Only a "
    about += "client that sends neither `Origin` nor `Sec-Fetch-Site` needs it."
    return {"type": "apiKey", "in": "header", "name": name, "description": about}


def describe_client() -> Schema:
    """Return the scheme of the programs that may ask about tokens."""
    about = "The name and the secret of a program that may ask about tokens (`INTROSPECTION_CLIENTS`)."
    return {"type": "http", "scheme": "basic", "description": about}


def require_cookie(name: str, method: str) -> list[dict[str, list[Any]]]:
    """Return the alternatives of a request with a cookie: from a browser, and with the CSRF token."""
    return [{name: []}] if method == "GET" else [{name: []}, {name: [], CSRF: []}]


def describe_set_cookie(text: str) -> str:
    """Return the text of the header ``Set-Cookie`` of a success. Empty if the project has no such cookie.

    Args:
        text: :data:`SETS`, :data:`CLEARS`, :data:`SETS_ACCESS`, or an empty text.
    """
    by_cookie = get_settings().access_cookie
    if not (by_cookie if text == SETS_ACCESS else offers_ambient()):
        return ""
    more = " The same happens to the cookie `{1}` of the access token."
    both = text in {SETS, CLEARS} and by_cookie
    return (text + more * both).format(*name_cookies())
