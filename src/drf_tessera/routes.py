"""Where views are mounted: what the project's urls say about the token endpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final

from django.core.signals import setting_changed
from django.urls import URLResolver, get_resolver, get_script_prefix, get_urlconf
from django.urls.resolvers import LocalePrefixPattern, RoutePattern

_OPEN_END: Final = "<"
"""What begins the part of a route that differs from request to request."""

_PLAIN: Final = re.compile(r"[\w/~.-]*")


def walk_views(urlconf: str | None = None) -> Iterator[tuple[str, Any]]:
    """Give the route and the callback of everything that the urls name."""
    return _walk(get_resolver(urlconf).url_patterns, "")


def find_view_class(callback: Any) -> type[Any] | None:
    """Give the class behind a view function, of Django's or REST framework's; ``None``: it has none."""
    found = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    return found if isinstance(found, type) else None


def find_directory(belongs: Callable[[type[Any]], bool]) -> str | None:
    """Give the longest path, with a slash at its end, under which all views stand that ``belongs`` names.

    ``None``: no such view is mounted.
    """
    return _find_directory(belongs, get_urlconf(), get_script_prefix())


@lru_cache(maxsize=64)
def _find_directory(belongs: Callable[[type[Any]], bool], urlconf: str | None, root: str) -> str | None:
    found = []
    for route, callback in walk_views(urlconf):
        view = find_view_class(callback)
        if view is not None and belongs(view):
            found.append(route)
    if not found:
        return None
    # What ends in no slash is a view beside its directory, and not one.
    steps = [route.partition(_OPEN_END)[0].split("/")[:-1] for route in found]
    shared = takewhile(lambda column: len(set(column)) == 1, zip(*steps, strict=False))
    return root + "".join(f"{column[0]}/" for column in shared)


def forget_directories() -> None:
    """Read the urls again when they are asked for next: they, or the settings, have changed."""
    _find_directory.cache_clear()


def _forget_at_change(*, setting: str, **kwargs: object) -> None:
    if setting == "ROOT_URLCONF":
        forget_directories()


setting_changed.connect(_forget_at_change, dispatch_uid="drf_tessera.routes")


def _walk(patterns: Iterable[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for item in patterns:
        route = prefix + _write_route(item.pattern)
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, route)
        else:
            yield route, item.callback


def _write_route(pattern: Any) -> str:
    """Write the pattern of one step; of what is no plain text, only that it is there."""
    if isinstance(pattern, LocalePrefixPattern):
        return _OPEN_END
    if isinstance(pattern, RoutePattern):
        return str(pattern)
    text = str(pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    plain = text.replace(r"\-", "-").replace(r"\.", ".").replace("/?", "/")
    head = _PLAIN.match(plain)[0]  # type: ignore[index]  # it matches the empty text, too
    return plain if head == plain else head[: head.rfind("/") + 1] + _OPEN_END
