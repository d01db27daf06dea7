"""Import the whole package, and print each setting that is read meanwhile.

``python -m tests.architecture.imports`` runs in a process of its own, because here every module is new.
``rules`` finds the usual spellings in the source, and names their lines. This finds every spelling.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Final

import django
from django.conf import LazySettings, settings

PACKAGE: Final = "drf_tessera"

ALLOWED: Final = frozenset({"AUTH_USER_MODEL"})
"""The model behind a foreign key has to be named while the class is made."""

READ_BY_DJANGO: Final = frozenset({"DEFAULT_TABLESPACE", "ABSOLUTE_URL_OVERRIDES", "DEBUG"})
"""Django itself reads these while it makes a class of a model, and while it connects a receiver."""

READS: Final = {
    "an attribute": "settings.TESSERA",
    "a function": "getattr(settings, 'TESSERA', {})",
    "a module": "import django.conf\ndjango.conf.settings.DEBUG",
    "an inner function": "def _read():\n    return get_settings().clock_skew\nX = _read()",
    "a lambda": "X = (lambda: get_settings().clock_skew)()",
    "another name": "read = get_settings\nX = read()",
    "a class": "class A:\n    x = get_settings().clock_skew",
    "a default": "def f(x=get_settings().clock_skew): ...",
    "a value of the settings": "from drf_tessera.tokens.keystore import get_keystore\nget_keystore()",
    "a function of Django": "from django.utils import timezone\ntimezone.localdate()",
    "a function of another room": "from drf_tessera.database import find_database\nfind_database()",
}
"""Code that reads a setting, and that is executed as if it stood in a module of the package."""

found: Final[list[str]] = []


def main() -> None:
    """Print the settings that are read, and the planted reads that are not found."""
    _watch()
    settings.configure(
        SECRET_KEY="x",
        TESSERA={},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            PACKAGE,
        ],
    )
    django.setup()
    for name in list_modules():
        import_module(name)
    sys.stdout.writelines(f"{entry}\n" for entry in found)
    sys.stdout.writelines(f"not found: by {name}\n" for name in _find_missed())


def _watch() -> None:
    """Replace the attributes of Django's settings: the first read of each is remembered in the object."""
    original = LazySettings.__getattribute__

    def read(self: LazySettings, name: str) -> Any:
        if name.isupper() and name not in ALLOWED:
            reader = sys._getframe(1)
            importer = _find_importer(reader)
            is_ours = reader.f_globals["__name__"].startswith(PACKAGE)
            if importer and (is_ours or name not in READ_BY_DJANGO):
                found.append(f"{importer} reads {name} while it is being imported")
        return original(self, name)

    LazySettings.__getattribute__ = read  # type: ignore[method-assign,assignment]


def _find_importer(frame: FrameType | None) -> str:
    """Return the innermost module that is being executed, and its line, if the module is ours."""
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            name = str(frame.f_globals["__name__"])
            return f"{name}:{frame.f_lineno}" if name.startswith(PACKAGE) else ""
        frame = frame.f_back
    return ""


def list_modules() -> Iterator[str]:
    """List every module of the package."""
    root = Path(str(sys.modules[PACKAGE].__file__)).parent
    for path in sorted(root.rglob("*.py")):
        steps = path.relative_to(root.parent).with_suffix("").parts
        yield ".".join(steps).removesuffix(".__init__")


def _find_missed() -> Iterator[str]:
    conf = import_module(f"{PACKAGE}.conf.settings")
    for name, code in READS.items():
        found.clear()
        vars(conf)["_cached"] = None
        exec(  # noqa: S102 - the code is the table above
            compile(code, "planted.py", "exec"),
            {"__name__": f"{PACKAGE}.planted", "settings": settings, "get_settings": conf.get_settings},
        )
        if not found:
            yield name


if __name__ == "__main__":
    main()
