"""The package keeps its rules, and each rule finds what breaks it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rest_framework_jwt
import rest_framework_simplejwt

import drf_tessera
from tests.architecture.dynamic import COMPUTED, DJANGOS, list_computing
from tests.architecture.outside import REPOSITORY, read_users
from tests.architecture.planted import PLANTED
from tests.architecture.rules import WRITERS, find_violations
from tests.architecture.sizes import count_code
from tests.architecture.writers import find_writes
from tools.house import Module, read_house, read_sources

pytestmark = pytest.mark.once  # it reads source code

SOURCES = read_sources()


@pytest.mark.slow
def test_the_package_keeps_every_rule() -> None:
    assert find_violations(read_house(SOURCES)) == []


@pytest.mark.slow
def test_a_file_of_contrib_may_import_its_package_and_rest_framework() -> None:
    code = (
        '"""Integrate Celery."""\nimport celery\nfrom rest_framework import exceptions\n'
        "from drf_tessera.rest.errors import Unauthorized\nfrom drf_tessera.users import lazy_user\n"
    )
    before = SOURCES["contrib/__init__.py"].removesuffix('"""\n')
    door = f'{before}- celery: for Celery\n"""\n'
    house = read_house({**SOURCES, "contrib/celery.py": code, "contrib/__init__.py": door})
    assert find_violations(house) == []


@pytest.mark.slow
def test_each_exception_for_a_computed_name_is_needed() -> None:
    ours = read_house(SOURCES).modules.values()
    users = [
        Module(path, text, is_package=False) for path, text in read_users().items() if path.endswith(".py")
    ]
    assert list_computing([*ours, *users]) == set(COMPUTED)


def test_each_private_name_of_django_in_the_list_is_used() -> None:
    code = "\n".join([*SOURCES.values(), *read_users().values()])
    assert [name for name in DJANGOS if not re.search(rf"[.\"']{name}\b", code)] == []


def test_the_rooms_are_read_from_the_docstrings() -> None:
    house = read_house(SOURCES)
    assert house.rooms[:2] == ["texts", "exceptions"]
    assert len(house.rooms) > 15
    assert [place for place, _ in house.list_places("jose")] == [
        "encoding",
        "algorithms",
        "keys",
        "life",
        "codec",
    ]


@pytest.mark.parametrize("module", ["drf_tessera", "drf_tessera.exceptions", "drf_tessera.rotation"])
def test_loads_no_django(module: str) -> None:
    assert _loaded_by(f"import {module}").isdisjoint({"django", "rest_framework"})


@pytest.mark.slow
def test_no_setting_is_read_at_import() -> None:
    """Each kind of read is planted there, and found too."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.architecture.imports"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.slow
def test_jose_loads_no_django() -> None:
    loaded = _loaded_by("import drf_tessera.jose.codec, drf_tessera.jose.keys")
    assert "joserfc" in loaded
    assert loaded.isdisjoint({"django", "rest_framework"})


@pytest.mark.slow
def test_tokens_load_no_tables() -> None:
    """A token is read without them: Django has not even loaded its apps here."""
    code = "from django.conf import settings; settings.configure(); import drf_tessera.tokens"
    found = _find_modules(code)
    assert "drf_tessera.tokens.refresh" in found
    assert found.isdisjoint({"drf_tessera.models", "drf_tessera.database", "django.contrib.auth"})


@pytest.mark.slow
def test_no_door_loads_pyjwt_or_rest_framework() -> None:
    """A project without them has doors all the same: PyJWT is not even a requirement."""
    house = read_house(SOURCES)
    doors = [f"drf_tessera.{room}" for room in house.rooms if house.has_door(room)]
    assert "drf_tessera.legacy" in doors
    loaded = _loaded_by(f"{_CONFIGURE}; import {', '.join(doors)}")
    assert "django" in loaded
    assert loaded.isdisjoint({"jwt", "rest_framework"})


_CONFIGURE = (
    "import django; from django.conf import settings; settings.configure(SECRET_KEY='x', "
    "INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth']); django.setup()"
)
"""Without our app: it loads the checks, and they load the views."""


def _loaded_by(code: str) -> set[str]:
    """Return the packages that are loaded after ``code``."""
    return {name.partition(".")[0] for name in _find_modules(code)}


def _find_modules(code: str) -> set[str]:
    report = "import sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", f"{code}; {report}"], capture_output=True, check=True)
    return set(found.stdout.decode().split())


# -- Planted violations ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("file", "code", "expected"), PLANTED.values(), ids=PLANTED)
def test_a_planted_violation_is_found(file: str, code: str, expected: str) -> None:
    planted = {**SOURCES, file: SOURCES.get(file, '"""New."""\n') + f"\n{code}\n"}
    found = find_violations(read_house(planted), file)
    assert any(expected in violation for violation in found), found


@pytest.mark.parametrize(
    ("file", "item", "expected"),
    [
        ("__init__.py", "- gone: x", "the docstring of drf_tessera names gone, which does not exist"),
        ("__init__.py", "- conf: x", "the docstring of drf_tessera names conf twice"),
        ("jose/__init__.py", "- gone: x", "the docstring of jose names gone, which does not exist"),
        ("jose/__init__.py", "- keys: x", "the docstring of jose names keys twice"),
    ],
)
def test_a_planted_fault_in_a_list_is_found(file: str, item: str, expected: str) -> None:
    planted = {**SOURCES, file: SOURCES[file].replace("\n- ", f"\n{item}\n- ", 1)}
    assert any(expected in violation for violation in find_violations(read_house(planted), file))


@pytest.mark.slow
def test_a_room_without_a_sentence_is_found() -> None:
    found = find_violations(read_house({**SOURCES, "rest/__init__.py": ""}))
    assert any("does not say in a docstring" in violation for violation in found)


WRITES = {
    "by the manager": "Session.objects.all().delete()",
    "in coroutines": "await Session.objects.aupdate(label='')",
    "by a row": "Session(pk=1).save(force_insert=True)",
    "by a name": "rows = Session.objects.all()\nrows.update(label='')",
    "by a name of a name": "rows = Session.objects.all()\nlive = rows.live(now)\nlive.update(label='')",
    "by two names at once": "a, rows = 1, Session.objects.all()\nrows.update(label='')",
    "by another function": "partial(Session.objects.update, label='')",
    "in a loop": "for row in Session.objects.all():\n    row.delete()",
    "by a selector": "rows.select_sessions().filter(pk=1).delete()",
    "by a parameter": "def f(row: Session | None): row.save()",
    "by a list": "list(Session.objects.all())[0].delete()",
    "by a condition": "rows = a if a else Session.objects.all()\nrows.update(label='')",
    "by a module": "from drf_tessera import models\nmodels.Session.objects.update(label='')",
    "by a shortcut": "get_object_or_404(Session, pk=1).delete()",
    "by a label": "apps.get_model('tessera', 'Session').objects.update(label='')",
    "by a label in one": "apps.get_model('tessera.Session').objects.update(label='')",
    "by a function of rows": "next(iter(Session.objects.all())).delete()",
    "by a result": "def pick() -> SessionQuerySet: ...\npick().update(label='')",
    "by a type in a text": "def f(row: 'Session'): row.save()",
    "below Django's signals": "Session(pk=1).save_base(raw=True)",
    "below Django's collector": "Session.objects.all()._raw_delete('default')",
    "under another name": "from drf_tessera.models import Session as S\nS.objects.bulk_create([])",
}


@pytest.mark.parametrize("code", WRITES.values(), ids=WRITES)
def test_a_write_is_found(code: str) -> None:
    tree = ast.parse(f"async def f():\n{_indent(code)}")
    assert [model for model, _, _ in find_writes(tree, WRITERS)] == ["Session"]


def _indent(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


@pytest.mark.parametrize(
    "code",
    ["claims.update(more)", "user = load_user(token)\nuser.save()", "Session.objects.filter(pk=1).first()"],
)
def test_code_that_writes_no_session_is_accepted(code: str) -> None:
    assert not list(find_writes(ast.parse(code), WRITERS))


# -- The package and compat/ -----------------------------------------------------------------------


def test_public_names_are_loaded_when_asked_for() -> None:
    for name in drf_tessera.__all__:
        assert getattr(drf_tessera, name).__module__.startswith("drf_tessera.")
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = drf_tessera.Nonsense


COMPAT = [Path(package.__file__ or "").parent for package in (rest_framework_jwt, rest_framework_simplejwt)]


SIZES = list(zip(COMPAT, (760, 1980), strict=True))


@pytest.mark.parametrize(("root", "most"), SIZES, ids=["jwt", "simplejwt"])
def test_they_stay_small(root: Path, most: int) -> None:
    """About 500 lines were planned for each: docs/explanation/architecture.md tells what the rest is."""
    files = [file for file in root.rglob("*.py") if "migrations" not in file.parts]
    assert sum(count_code(file.read_text()) for file in files) <= most


def test_the_page_names_these_sizes() -> None:
    text = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text()
    (named,) = re.findall(r"about ([\d,]+) and ([\d,]+) lines of code", text)
    assert [int(size.replace(",", "")) for size in named] == [most for _, most in SIZES]
