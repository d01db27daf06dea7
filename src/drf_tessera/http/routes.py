"""The routes of views, and the path of the refresh cookie that follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final

from django.urls import URLResolver, get_resolver, get_script_prefix, get_urlconf
from django.urls.resolvers import LocalePrefixPattern, RoutePattern

from drf_tessera.conf import get_settings

_OPEN_END: Final = "<"
"""The first character of the variable part of a route."""

_PLAIN: Final = re.compile(r"[\w/~.-]*")


def walk_views(urlconf: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the route and the callback of every view in the urls."""
    return _walk(get_resolver(urlconf).url_patterns, "")


def find_view_class(callback: Any) -> type[Any] | None:
    """Return the class behind a view function of Django's or REST framework's, or ``None``."""
    found = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    return found if isinstance(found, type) else None


def find_cookie_path() -> str:
    """Return the path of the refresh cookie: ``COOKIE_PATH``, or the directory of its views."""
    return get_settings().cookie_path or find_cookie_directory() or "/"


def find_cookie_directory() -> str | None:
    """Return the longest path, with a slash at its end, that contains all views that read the refresh cookie.

    A view declares this by the class attribute ``reads_refresh_cookie = True``. ``None`` means that no such
    view is in the urls.
    """
    return _find_directory(get_resolver(get_urlconf()), get_script_prefix())


@lru_cache(maxsize=64)
def _find_directory(resolver: URLResolver, root: str) -> str | None:
    # Django makes another resolver for another ROOT_URLCONF, and after clear_url_caches().
    found = [
        route
        for route, callback in _walk(resolver.url_patterns, "")
        if getattr(find_view_class(callback), "reads_refresh_cookie", False)
    ]
    if not found:
        return None
    # A route without a slash at its end is a view beside the directory.
    steps = [route.partition(_OPEN_END)[0].split("/")[:-1] for route in found]
    shared = takewhile(lambda column: len(set(column)) == 1, zip(*steps, strict=False))
    return root + "".join(f"{column[0]}/" for column in shared)


def _walk(patterns: Iterable[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for item in patterns:
        route = prefix + _write_route(item.pattern)
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, route)
        else:
            yield route, item.callback


def _write_route(pattern: Any) -> str:
    """Return the pattern of one step as text. A part that is not plain text becomes ``<``."""
    if isinstance(pattern, LocalePrefixPattern):
        return _OPEN_END
    if isinstance(pattern, RoutePattern):
        return str(pattern)
    text = str(pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    plain = text.replace(r"\-", "-").replace(r"\.", ".").replace("/?", "/")
    head = _PLAIN.match(plain)[0]  # type: ignore[index]  # it matches the empty text, too
    return plain if head == plain else head[: head.rfind("/") + 1] + _OPEN_END
