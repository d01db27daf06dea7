"""Every name, member and parameter that an importer could see in an original is here, or has a reason.

``surface.py`` describes the modules. ``python -m tests.compat.differential`` writes the lists.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model

from drf_tessera.legacy import Kind, find_name
from tests.compat.differential import surface
from tests.compat.differential.compare import ORIGINALS, read_surface
from tests.environments import find_older_python

HERE = Path(__file__).parent / "differential"
PACKAGES = {package: json.loads((HERE / f"{package}.json").read_text()) for package in ORIGINALS}
MODULES = [(package, module) for package, modules in PACKAGES.items() for module in modules]
NAMES = [(module, name) for package, module in MODULES for name in PACKAGES[package][module]]


def describe(path: str) -> dict[str, Any] | None:
    """Return the description of one of our names, or ``None`` if it is refused."""
    module, _, name = path.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        known = find_name(path)
        assert known is not None, f"{path} is not here, and no reason is given"
        assert known[0].startswith(path.rpartition(".")[0]), f"{path} is not here; only {known[0]} is refused"
        assert known[1].kind is Kind.REFUSED
        assert known[1].text
        return None
    return surface.describe_value(value, path.partition(".")[0])


def accepts(ours: list[str] | None, theirs: list[str] | None) -> bool:
    """Return whether a call with the parameters of the original is possible."""
    if ours is None or theirs is None:
        return True
    positional = [name for name in ours if not name.startswith("*")]
    # An older Django shows the ``self`` of a class-based view as a parameter of its function.
    expected = theirs[1:] if theirs[:2] == ["self", "request"] and ours[:1] == ["request"] else theirs
    for index, name in enumerate(expected):
        if name.startswith("*"):
            continue
        if name not in positional and "**kwargs" not in ours:
            return False
        if name in positional and positional.index(name) != index:
            return False
    return True


CLASSES = [
    (module, name) for module, name in NAMES if "members" in PACKAGES[module.partition(".")[0]][module][name]
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), CLASSES, ids=lambda value: value)
def test_every_class_can_be_subclassed(module: str, name: str) -> None:
    kind = getattr(importlib.import_module(module), name)
    body: dict[str, Any] = {"__module__": __name__}
    if issubclass(kind, Model):
        body["Meta"] = type("Meta", (), {"proxy": True, "app_label": "token_blacklist"})
    mine = type(f"My{name}", (kind,), body)
    assert issubclass(mine, kind)
    apps.all_models["token_blacklist"].pop(f"my{name.lower()}", None)


def test_many_classes_are_subclassed() -> None:
    assert len(CLASSES) > 60


@pytest.mark.parametrize(("package", "module"), MODULES, ids=lambda value: value)
def test_every_module_is_here(package: str, module: str) -> None:
    assert importlib.import_module(module)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda value: value)
def test_every_name_is_here_with_its_members_and_parameters(module: str, name: str) -> None:
    theirs = PACKAGES[module.partition(".")[0]][module][name]
    ours = describe(f"{module}.{name}")
    if ours is None:
        return
    if theirs.get("foreign") and "foreign" in ours:
        assert ours["foreign"] in {theirs["foreign"], ""}
    assert accepts(ours.get("parameters"), theirs.get("parameters"))
    for member, parameters in theirs.get("members", {}).items():
        if member not in ours["members"]:
            kind = getattr(importlib.import_module(module), name)
            known = find_name(f"{kind.__module__}.{name}.{member}")
            assert known is not None
            assert (known[0].rpartition(".")[2], known[1].kind) == (member, Kind.REFUSED), member
        else:
            assert accepts(ours["members"][member], parameters), member


def test_the_lists_are_long() -> None:
    assert {package: len(modules) for package, modules in PACKAGES.items()} == {
        "rest_framework_simplejwt": 15,
        "rest_framework_jwt": 9,
    }
    assert len(NAMES) > 280


@pytest.mark.long
@pytest.mark.once
@pytest.mark.server
@pytest.mark.parametrize("package", ORIGINALS)
def test_the_lists_are_those_of_the_originals(package: str) -> None:
    python = sys.executable if package == "rest_framework_simplejwt" else find_older_python()
    if python is None:
        pytest.skip("djangorestframework-jwt needs Python 3.11")
    assert read_surface(package, python) == PACKAGES[package], "run python -m tests.compat.differential"


def list_overrides(package: str) -> Iterator[tuple[str, Any, Any]]:
    """Return each method of ours that is also a method of Django or REST framework, with the other method."""
    modules = [importlib.import_module(module) for module in PACKAGES[package]]
    for kind in {found for module in modules for found in vars(module).values() if inspect.isclass(found)}:
        if not kind.__module__.startswith(f"{package}."):
            continue
        for name, ours in vars(kind).items():
            theirs = [vars(parent)[name] for parent in kind.__mro__ if name in vars(parent)]
            theirs = [found for found in theirs if is_foreign(found)]
            if inspect.isfunction(ours) and not name.startswith("_") and theirs:
                yield f"{kind.__module__}.{kind.__qualname__}.{name}", ours, theirs[0]


def is_foreign(value: Any) -> bool:
    return inspect.isfunction(value) and value.__module__.startswith(("django.", "rest_framework."))


@pytest.mark.parametrize("package", ORIGINALS)
def test_a_method_takes_the_parameters_of_its_parent(package: str) -> None:
    """A subclass may pass each by its name, as in ``super().run_validation(data=data)``."""
    found = {name: (ours, theirs) for name, ours, theirs in list_overrides(package)}
    assert any(name.endswith("PasswordField.run_validation") for name in found)
    refusing = [
        name
        for name, pair in found.items()
        if not accepts(surface.list_parameters(pair[0]), surface.list_parameters(pair[1]))
    ]
    assert refusing == []
