"""Everything that a stranger can send: the views, their fields, and values that break code."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from rest_framework.serializers import Serializer

from drf_tessera.http import find_view_class, walk_views
from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.shapes import (
    AnswerSerializer,
)

URLS: Final = "tests.hostile.urls"
MARK: Final = "ECHO-7f3a91"
"""A part of every text. No answer may contain it."""

PACKAGES: Final = ("drf_tessera.", "rest_framework_simplejwt.", "rest_framework_jwt.")

MOST_CHARACTERS: Final = 1000
"""More than any honest text has. No function with a cost of its own gets more of a stranger's text."""


def list_views() -> list[tuple[str, type[TokenView]]]:
    """Return each endpoint for tokens with its path."""
    found = []
    for route, callback in walk_views(URLS):
        view = find_view_class(callback)
        if view is not None and issubclass(view, TokenView):
            found.append((f"/{route}", view))
    return found


def list_paths() -> list[str]:
    """Return the path of every endpoint for tokens, and of the protected views of this project."""
    found = {f"/{route}".replace("<str:session_id>", "x") for route, _ in walk_views(URLS)}
    return sorted(found)


def find_serializer(view: Any) -> type[Serializer] | None:
    """Return the serializer of a view's body, or ``None`` if the view reads no body."""
    find = getattr(view, "get_serializer_class", None)
    found: type[Serializer] | None = find(view()) if find else getattr(view, "serializer_class", None)
    return found


def find_serializers(view: Any) -> list[type[Serializer]]:
    """Return the serializers of each step of a view."""
    steps = (find_serializer(view), getattr(view, "challenge_serializer_class", None))
    return [serializer for serializer in steps if serializer is not None]


def list_fields() -> Iterator[tuple[str, str, type[Serializer]]]:
    """Yield the path, the name and the serializer of every field that a stranger can fill."""
    for path, view in list_views():
        for serializer in find_serializers(view):
            for name, field in serializer().fields.items():
                if not field.read_only:
                    yield path, name, serializer


def list_serializers() -> set[type[Serializer]]:
    """Return each serializer of our packages that reads something."""
    found: set[type[Serializer]] = set()
    kinds = [Serializer]
    while kinds:
        kind = kinds.pop()
        if issubclass(kind, AnswerSerializer):
            continue  # test_no_serializer_of_an_answer_reads_a_request
        kinds += kind.__subclasses__()
        if kind.__module__.startswith(PACKAGES) and not kind.__name__.startswith("_"):
            try:
                fields = kind().fields.values()
            except ImproperlyConfigured:  # the parent of a family, which has no fields of its own
                continue
            if any(not field.read_only for field in fields):
                found.add(kind)
    return found


def ask_nothing(request: object, user: object) -> None:
    """Return nothing: a ``CHALLENGE``, so that the login reads tickets."""


def deepen(levels: int) -> str:
    return "[" * levels + "]" * levels


# Each value as JSON, because some of them have no other form.
VALUES: Final[dict[str, str]] = {
    "a lone surrogate": rf'"{MARK}\ud800"',
    "a low surrogate alone": rf'"\udfff{MARK}"',
    "a NUL": rf'"{MARK}\u0000"',
    "control characters": rf'"{MARK}\u0007\u001b[31m\u202e"',
    "a long text": f'"{MARK * 5000}"',
    "64 kB of combining marks": '"' + "\u0316\u0301" * 14_000 + f'{MARK}"',
    "64 kB that normalise to a megabyte": '"' + "\ufdfa" * 20_000 + f'{MARK}"',
    "64 kB of spaces": '"' + " " * 60_000 + f'{MARK}"',
    "64 kB of capitals that fold to more": '"' + "\u0390" * 30_000 + f'{MARK}"',
    "64 kB of quotes": '"' + r"\"" * 30_000 + f'{MARK}"',
    "64 kB of dots": '"' + "." * 60_000 + f'{MARK}"',
    "64 kB that look like a refresh token": '"tsr_' + "A" * 60_000 + f'{MARK}"',
    "a huge number": "9" * 4000,
    "a number that is too huge to read": "9" * 40_000,
    "a negative number": "-1",
    "an infinite number": "1e400",
    "NaN": "NaN",
    "a fraction": "0.1",
    "true": "true",
    "null": "null",
    "an empty text": '""',
    "a list": f'["{MARK}"]',
    "a deep list": deepen(900),
    "a list that is too deep to read": deepen(20_000),
    "an object": f'{{"{MARK}": "{MARK}"}}',
    "a deep object": '{"a":' * 900 + f'"{MARK}"' + "}" * 900,
    "a long list": "[" + ",".join(["1"] * 20_000) + "]",
    "markup": f'"<script>{MARK}</script>"',
    "a format": f'"%s{{0}}%n${{{MARK}}}"',
}

HEADERS: Final[dict[str, str]] = {
    "a long text": MARK * 700,
    "latin letters": "\xc4\xff\xb5" * 2000 + MARK,
    "control characters": f"{MARK}\x07\x1b\x7f",
    "quotes": '"' * 4000 + MARK,
    "backslashes": '"' + "\\" * 4000 + f'{MARK}"',
    "commas": "," * 4000 + MARK,
    "semicolons": ";" * 4000 + MARK,
    "colons": ":" * 4000 + MARK,
    "brackets": "[" * 4000 + MARK,
    "spaces": " " * 4000 + MARK,
    "an address that is none": f"https://[{MARK}",
    "the beginning of ours": f"Bearer {MARK} {MARK}",
    "a basic scheme": f"Basic {MARK}",
    "a token that is too long": "Bearer " + "e" * 7000 + MARK,
    "many cookies of ours": f"__Secure-tessera_refresh_token={MARK}; " * 100 + "a=b",
    "two cookies of ours": f"__Secure-tessera_refresh_token={MARK}; __Secure-tessera_refresh_token=b",
}

HEADER_NAMES: Final = (
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_COOKIE",
    "HTTP_HOST",
    "HTTP_IDEMPOTENCY_KEY",
    "HTTP_ORIGIN",
    "HTTP_REFERER",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_USER_AGENT",
    "HTTP_X_CSRFTOKEN",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_REQUESTED_WITH",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "REMOTE_ADDR",
    "QUERY_STRING",
    "REQUEST_METHOD",
)


class CountingCalls:
    """Counts the calls of functions, in Python and in C. A busy machine changes no such count."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> CountingCalls:
        self.number = 0
        sys.setprofile(self._count)
        return self

    def __exit__(self, *args: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: object, event: str, arg: object) -> None:
        self.number += event in {"call", "c_call"}


class CountingNormalize:
    """Stands in for ``unicodedata.normalize``, and notes the longest text that it got."""

    def __init__(self) -> None:
        self.longest = 0
        self._original = unicodedata.normalize

    def __call__(self, form: Any, text: str) -> str:
        self.longest = max(self.longest, len(text))
        return self._original(form, text)
