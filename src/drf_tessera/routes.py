"""The paths of views: the places of the token endpoints in the project's URLconf."""

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
"""The start of the variable part of a route."""

_PLAIN: Final = re.compile(r"[\w/~.-]*")


def walk_views(urlconf: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the route and the callback of each entry of the URLconf."""
    return _walk(get_resolver(urlconf).url_patterns, "")


def find_view_class(callback: Any) -> type[Any] | None:
    """Return the class of a view function of Django or REST framework, or ``None``."""
    found = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    return found if isinstance(found, type) else None


def find_directory(belongs: Callable[[type[Any]], bool]) -> str | None:
    """Return the longest common path of all views that ``belongs`` accepts, with a slash at its end.

    Return ``None`` if the URLconf has no such view.
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
    # A route that does not end with a slash names a view inside a directory, and not a directory.
    steps = [route.partition(_OPEN_END)[0].split("/")[:-1] for route in found]
    shared = takewhile(lambda column: len(set(column)) == 1, zip(*steps, strict=False))
    return root + "".join(f"{column[0]}/" for column in shared)


def forget_directories() -> None:
    """Drop the cached paths, because the URLconf or the settings have changed."""
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
    """Return the pattern of one step as a route. A part that is not plain text becomes ``<``."""
    if isinstance(pattern, LocalePrefixPattern):
        return _OPEN_END
    if isinstance(pattern, RoutePattern):
        return str(pattern)
    text = str(pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    plain = text.replace(r"\-", "-").replace(r"\.", ".").replace("/?", "/")
    head = _PLAIN.match(plain)[0]  # type: ignore[index]  # the pattern also matches an empty string
    return plain if head == plain else head[: head.rfind("/") + 1] + _OPEN_END
