"""Requests with cookies, and whether they are accepted: the table in ``docs/explanation/cookies.md``.

Each case has its headers, its settings, and the code of its refusal. Three of the headers are not real
headers. ``plain`` means a request without TLS. ``toss`` means a request with a second cookie of the same
name. The value ``TOKEN`` stands for Django's CSRF token. ``benchmarks.csrf`` sends the same requests to the
peers.
"""

from __future__ import annotations

from typing import Any

OWN = "https://api.example.com"

Headers = dict[str, str]

SAME: Headers = {"origin": OWN, "sec-fetch-site": "same-origin"}

CASES: dict[str, tuple[Headers, dict[str, Any], str | None]] = {
    "same origin": (SAME, {}, None),
    "same origin, no `Sec-Fetch-Site`": ({"origin": OWN}, {}, None),
    "same origin, and a proxy that writes the default port": (
        {**SAME, "host": "api.example.com:443"},
        {},
        None,
    ),
    "same site, another origin": (
        {"origin": "https://app.example.com", "sec-fetch-site": "same-site"},
        {},
        "csrf_origin",
    ),
    "same site, a trusted origin": (
        {"origin": "https://app.example.com", "sec-fetch-site": "same-site"},
        {"CSRF_TRUSTED_ORIGINS": ["https://app.example.com"]},
        None,
    ),
    "another port": ({"origin": f"{OWN}:8443", "sec-fetch-site": "same-site"}, {}, "csrf_origin"),
    "no TLS": (
        {"origin": "http://api.example.com", "sec-fetch-site": "cross-site"},
        {},
        "csrf_origin",
    ),
    "a subdomain under a trusted pattern": (
        {"origin": "https://x.app.example.com", "sec-fetch-site": "same-site"},
        {"CSRF_TRUSTED_ORIGINS": ["https://*.app.example.com"]},
        None,
    ),
    "a name that only ends like a trusted pattern": (
        {"origin": "https://evilapp.example.com", "sec-fetch-site": "same-site"},
        {"CSRF_TRUSTED_ORIGINS": ["https://*.app.example.com"]},
        "csrf_origin",
    ),
    "cross site": (
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {},
        "csrf_origin",
    ),
    "cross site, no `Sec-Fetch-Site`": ({"origin": "https://evil.example"}, {}, "csrf_origin"),
    "no `Origin`, same origin": ({"sec-fetch-site": "same-origin"}, {}, None),
    "no `Origin`, same site": ({"sec-fetch-site": "same-site"}, {}, "csrf_fetch_site"),
    "no `Origin`, cross site": ({"sec-fetch-site": "cross-site"}, {}, "csrf_fetch_site"),
    "no `Origin`, the person at the browser": ({"sec-fetch-site": "none"}, {}, None),
    "`null` Origin": ({"origin": "null"}, {}, "csrf_origin"),
    "`null` Origin, cross site (a sandboxed frame)": (
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {},
        "csrf_origin",
    ),
    "`null` Origin, same origin (`no-referrer`)": (
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {},
        None,
    ),
    "our Origin, and the browser says cross site": (
        {"origin": OWN, "sec-fetch-site": "cross-site"},
        {},
        "csrf_fetch_site",
    ),
    "an old browser that sends neither": ({}, {}, "csrf_token"),
    "an old browser, with Django's token": ({"x-csrftoken": "TOKEN"}, {}, None),
    "an old browser, with a wrong token": ({"x-csrftoken": "x" * 32}, {}, "csrf_token"),
    "behind a proxy for TLS that Django does not know of": (
        {**SAME, "plain": "yes"},
        {},
        "csrf_origin",
    ),
    "behind a proxy for TLS, `SECURE_PROXY_SSL_HEADER`": (
        {**SAME, "plain": "yes", "x-forwarded-proto": "https"},
        {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        None,
    ),
    "behind a proxy with another name, `USE_X_FORWARDED_HOST`": (
        {**SAME, "host": "backend:8000", "x-forwarded-host": "api.example.com"},
        {"USE_X_FORWARDED_HOST": True},
        None,
    ),
    "a tossed cookie": ({**SAME, "toss": "yes"}, {}, "cookie_ambiguous"),
}
