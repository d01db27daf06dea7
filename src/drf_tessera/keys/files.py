"""The keys of a JWK Set in a file, or of all files of a folder: a secret that the platform mounts.

The platform may replace the file while the server runs. The name, the size and the time of each file tell,
and they are looked at once per ``REVOCATION_POLL``. A file that cannot be read changes nothing, because the
keys that are known still serve.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.encoding import EncodingError, decode_json_object
from drf_tessera.jose.keys import Key
from drf_tessera.texts import Text

logger: Final = logging.getLogger(__name__)

MAX_BYTES: Final = 1_000_000
"""A larger file is a mistake."""

Mark = tuple[tuple[str, int, int, int], ...]
"""The name, the time, the size and the inode of each file."""


class KeyFile:
    """The keys of one path, as far as one process knows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: Mark | None = None
        self._failing = False
        self.keys: tuple[Key, ...] = ()

    def look(self) -> bool:
        """Read the files again if they have changed. Return whether the keys are others now."""
        try:
            mark = _find_mark(self._path)
            if mark == self._mark:
                return False
            found = read_key_file(self._path)
        except (OSError, KeyMaterialError) as error:
            self._fail(error)
            return False
        self._mark, self._failing = mark, False
        changed = [key.thumbprint for key in found] != [key.thumbprint for key in self.keys]
        self.keys = found
        return changed

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            text = error.detail if isinstance(error, KeyMaterialError) else type(error).__name__
            logger.error("The keys in %s cannot be read, and the known ones are used. %s", self._path, text)


def _list_files(path: Path) -> list[Path]:
    # Kubernetes mounts a folder of links, beside hidden folders with the versions.
    inside = [file for file in path.iterdir() if not file.name.startswith(".") and file.is_file()]
    return sorted(inside)


def _find_mark(path: Path) -> Mark:
    files = _list_files(path) if path.is_dir() else [path]
    found = [(file, file.stat()) for file in files]
    return tuple((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino) for file, stat in found)


def read_key_file(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file, or of the files of a folder by their names. The newest one is the last.

    A file has a JWK Set, or one JWK.

    Raises:
        KeyMaterialError: a file is too large, is not JSON, or has a bad key. Or there is no key.
        OSError: a file cannot be read.
    """
    files = _list_files(path) if path.is_dir() else [path]
    keys = [key for file in files for key in _read(file)]
    if not keys:
        raise KeyMaterialError(Text("There is no key."))
    last = {key.kid: place for place, key in enumerate(keys)}
    return tuple(key for place, key in enumerate(keys) if last[key.kid] == place)


def _read(file: Path) -> list[Key]:
    with file.open("rb") as stream:
        raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise KeyMaterialError(Text("%(file)s has more than %(most)s bytes.", file=file.name, most=MAX_BYTES))
    try:
        value = decode_json_object(raw)
    except EncodingError:
        raise KeyMaterialError(Text("%(file)s is not a JSON object.", file=file.name)) from None
    listed = value.get("keys", [value])
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise KeyMaterialError(Text("%(file)s is not a JWK Set.", file=file.name))
    return [Key.from_jwk(item) for item in listed]
