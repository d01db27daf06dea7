"""A mounted JWK Set: it is noticed when it changes, and a bad file changes nothing."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.keys import files, read_key_file
from drf_tessera.keys.files import KeyFile

ONE, TWO, THREE = (generate_jwk("Ed25519") for _ in range(3))


def write(path: Path, value: Any) -> Path:
    """Replace a file as a platform does: a reader never sees a half of it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(value if isinstance(value, str) else json.dumps(value))
    os.replace(fresh, path)  # noqa: PTH105 - the name of the system call
    return path


def kids(file: KeyFile) -> list[str]:
    return [key.kid for key in file.keys]


def test_a_set_and_a_single_key_are_read(tmp_path: Path) -> None:
    assert [key.kid for key in read_key_file(write(tmp_path / "a", {"keys": [ONE, TWO]}))] == [
        ONE["kid"],
        TWO["kid"],
    ]
    assert [key.kid for key in read_key_file(write(tmp_path / "b", ONE))] == [ONE["kid"]]


def test_the_files_of_a_folder_are_read_by_their_names_without_the_hidden_ones(tmp_path: Path) -> None:
    write(tmp_path / "2.json", ONE)
    write(tmp_path / "1.json", {"keys": [TWO, ONE]})
    write(tmp_path / ".hidden", THREE)
    (tmp_path / "folder").mkdir()
    assert {key.kid for key in read_key_file(tmp_path)} == {TWO["kid"], ONE["kid"]}


def test_a_change_is_noticed_and_no_change_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "keys.json", ONE)
    file = KeyFile(path)
    assert (file.look(), kids(file)) == (True, [ONE["kid"]])
    write(path, TWO)
    assert (file.look(), kids(file)) == (True, [TWO["kid"]])
    monkeypatch.setattr(files, "read_key_file", lambda path: pytest.fail("was read again"))
    assert file.look() is False


def test_the_link_of_a_mounted_folder_may_be_replaced(tmp_path: Path) -> None:
    """Kubernetes mounts links to files in a hidden folder, and replaces the folder."""
    for name, jwk in (("..one", ONE), ("..two", TWO)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "keys.json", jwk)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    file = KeyFile(tmp_path)
    assert (file.look(), kids(file)) == (True, [ONE["kid"]])
    (tmp_path / "..new").symlink_to("..two")
    os.replace(tmp_path / "..new", tmp_path / "..data")  # noqa: PTH105 - the name of the system call
    assert (file.look(), kids(file)) == (True, [TWO["kid"]])


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "keys.json", ONE)
    file = KeyFile(path)
    file.look()
    with caplog.at_level(logging.ERROR):
        for content in ("", "{", json.dumps({"keys": []})):
            write(path, content)
            assert (file.look(), kids(file)) == (False, [ONE["kid"]])
        path.unlink()
        assert (file.look(), kids(file)) == (False, [ONE["kid"]])
    assert len(caplog.records) == 1
    write(path, ONE)
    assert (file.look(), kids(file)) == (False, [ONE["kid"]])
    path.unlink()
    with caplog.at_level(logging.ERROR):
        file.look()
    assert len(caplog.records) == 2
    assert ONE["d"] not in caplog.text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[]", "not a JSON object"),
        ({"keys": {}}, "not a JWK Set"),
        ({"keys": [1]}, "not a JWK Set"),
        ({"keys": []}, "no key"),
        ({"keys": [{**ONE, "alg": "none"}]}, "not an algorithm"),
        ({"keys": [{**ONE, "kty": "RSA"}]}, "kty"),
    ],
    ids=["array", "keys is an object", "keys has a number", "no key", "alg", "kty"],
)
def test_a_bad_file_is_explained_without_its_secrets(tmp_path: Path, value: Any, expected: str) -> None:
    with pytest.raises(KeyMaterialError, match=expected) as caught:
        read_key_file(write(tmp_path / "keys.json", value))
    assert ONE["d"] not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    with pytest.raises(KeyMaterialError, match="more than 10 bytes"):
        read_key_file(write(tmp_path / "keys.json", ONE))
