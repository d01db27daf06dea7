"""The how-to pages that are whole projects: every block is written to its file, and the project is used."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser

from drf_tessera import audit, sessions
from drf_tessera.tokens import verify_access_token
from tests.docs.pages import DOCS, Project

pytestmark = [pytest.mark.once, pytest.mark.long]  # each starts several Pythons, with a database of its own

DRIVERS = Path(__file__).parent / "drivers"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_plain_views_do_what_the_page_says(project: Project) -> None:
    project.follow("howto/without-rest-framework.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "without_rest_framework.py", "plain")


def test_plain_django_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/plain-django.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "plain_django.py", "plain")


def test_personal_tokens_do_what_the_page_says(project: Project) -> None:
    project.follow("howto/personal-tokens.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "personal_tokens.py", "notes")


@pytest.mark.parametrize(("page", "app"), [("ninja", "notes"), ("graphql", "graph"), ("sockets", "chat")])
def test_another_framework_does_what_the_page_says(project: Project, page: str, app: str) -> None:
    project.follow(f"howto/{page}.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / f"{page}.py", app)


def test_logins_of_a_project_do_what_the_page_says(project: Project) -> None:
    project.follow("howto/logins.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "logins.py", "accounts")


def test_a_sign_up_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/sign-up.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "sign_up.py", "shop")


def test_step_up_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/step-up.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "step_up.py", "payments")


def test_a_subdomain_gets_the_session_as_the_page_says(project: Project) -> None:
    project.follow("howto/subdomains.md")
    (project.folder / "pages").mkdir()
    (project.folder / "pages" / "__init__.py").touch()
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "subdomains.py", "pages")


def test_tenants_do_what_the_page_says(project: Project) -> None:
    project.follow("howto/tenants.md")
    project.add("shop/settings.py", "INSTALLED_APPS += ['rest_framework', 'drf_tessera']")
    project.add("shop/settings.py", "DATABASES |= dict.fromkeys(('acme', 'other'), DATABASES['default'])")
    project.manage("check", "--fail-level", "ERROR")
    project.test(DRIVERS / "tenants.py", "shop")


@pytest.mark.slow  # it starts Node
def test_the_pages_of_a_subdomain_do_what_the_page_says(tmp_path: Path) -> None:
    if shutil.which("node") is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: the code of the pages was not tested !!!")
    (code,) = re.findall(
        r"```js\n(// handover\.js\n.*?)```", (DOCS / "howto/subdomains.md").read_text(), re.DOTALL
    )
    (tmp_path / "handover.mjs").write_text(code)
    (tmp_path / "pages.test.mjs").write_text((DRIVERS / "subdomains.mjs").read_text())
    done = subprocess.run(
        ["node", "--test", "pages.test.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_impersonation_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/impersonation.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "impersonation.py", "support")


def test_keys_do_what_the_page_says(project: Project) -> None:
    project.follow("howto/keys.md")
    project.add("shop/settings.py", "INSTALLED_APPS += ['rest_framework', 'drf_tessera']")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "keys.py", "shop")


def test_the_admin_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/admin.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "admin.py", "accounts")


def test_the_browsable_api_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/browsable-api.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "browsable_api.py", "notes")


def test_the_setup_prints_what_the_page_shows_and_can_be_pasted(project: Project) -> None:
    project.follow("howto/setup.md")
    before = {path: path.read_text() for path in project.folder.rglob("*.py")}
    printed = project.manage("tessera_setup")
    assert {path: path.read_text() for path in project.folder.rglob("*.py")} == before
    assert f"$ python manage.py tessera_setup\n{printed}```" in (DOCS / "howto" / "setup.md").read_text()
    lines, urls = printed.split("# shop/urls.py (at the end)\n")
    project.add("shop/settings.py", lines)
    project.add("shop/urls.py", urls)
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "setup.py", "shop")
    assert project.manage("tessera_setup").count("# Nothing is missing.") == 1  # the cache is still a choice


def test_django_axes_locks_as_the_page_says(project: Project) -> None:
    project.follow("howto/axes.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "axes.py", "shop")


def test_the_metrics_are_those_of_the_page(project: Project) -> None:
    project.follow("howto/health.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "health.py", "ops")


def test_the_audit_trail_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/audit.md")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "audit.py", "security")


def test_the_page_names_each_event_with_its_level() -> None:
    text = (DOCS / "howto" / "audit.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([A-Z]+) \|", text, re.MULTILINE)
    assert rows == [(event, logging.getLevelName(level)) for event, (_, level) in audit.EVENTS.items()]


def test_the_tests_of_a_project_run_as_the_page_says(project: Project) -> None:
    """With Django's runner, and with pytest, whose entry point the installation may not have yet."""
    project.follow("howto/testing.md")
    project.manage("test", "notes")
    names = ("pytest_django.plugin", "drf_tessera.contrib.pytest")
    plugins = [part for name in names for part in ("-p", name)]
    found = project.run(
        *("-m", "pytest", "-q", "--ds=shop.settings", *plugins),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_ADDOPTS="",
    )
    assert "4 passed" in found


def test_the_user_model_does_what_the_page_says(project: Project) -> None:
    project.follow("howto/user-models.md")
    project.manage("makemigrations", "accounts", "--verbosity", "0")
    project.manage("check", "--fail-level", "WARNING")
    project.test(DRIVERS / "user_models.py", "accounts")


def test_the_schema_is_complete_with_the_lines_of_the_page(project: Project) -> None:
    project.follow("howto/openapi.md")
    project.add("shop/settings.py", "STATIC_URL = 'static/'")
    project.manage("check", "--fail-level", "WARNING")
    command = "spectacular --validate --fail-on-warn --file schema.yaml"
    assert f"`python manage.py {command}`" in (DOCS / "howto" / "openapi.md").read_text()
    project.manage(*command.split())
    (project.folder / "docs").mkdir()
    (project.folder / "docs" / "__init__.py").touch()
    project.test(DRIVERS / "openapi.py", "docs")


def test_the_settings_of_a_server_pass_every_check(project: Project) -> None:
    project.follow("howto/user-models.md")
    project.follow("howto/deploy.md")
    project.add("shop/urls.py", "from django.urls import include")
    project.add("shop/urls.py", "urlpatterns = [path('api/token/', include('drf_tessera.rest.urls'))]")
    # The packages of compat/ are installed here, and W007 reminds of the end of their tokens.
    project.add("shop/settings.py", "from datetime import UTC, datetime")
    project.add("shop/settings.py", "TESSERA['LEGACY_TOKENS_UNTIL'] = datetime(2026, 1, 1, tzinfo=UTC)")
    key = "a key that is long enough and has many different letters: 0123456789"
    for command in ("check --deploy --fail-level WARNING", "collectstatic --no-input"):
        assert f"$ python manage.py {command}\n" in (DOCS / "howto" / "deploy.md").read_text()
        project.manage(*command.split(), SECRET_KEY=key)
    (client,) = (project.folder / "static" / "drf_tessera").glob("client.????????????.js")
    imports = re.findall(r'"\./([\w.]+)"', client.read_text())
    assert len(imports) > 3
    assert all(re.fullmatch(r"\w+\.\w{12}\.js", name) for name in imports)


USUAL = 'INSTALLED_APPS += ["rest_framework", "drf_tessera"]'


@pytest.mark.parametrize("page", ["introspection", "mcp"])
def test_a_project_for_other_programs_passes_every_check(project: Project, page: str) -> None:
    project.add("shop/settings.py", USUAL)
    project.follow(f"howto/{page}.md")
    project.add("shop/settings.py", 'SILENCED_SYSTEM_CHECKS = ["tessera.W007"]')
    project.manage("check", "--fail-level", "WARNING", ORDERS_API_SECRET="x" * 43)
    if page == "mcp":
        project.test(DRIVERS / "mcp.py", "shop")


@pytest.mark.slow
def test_a_secret_key_is_rotated_as_the_page_says(settings: Any, anna: AbstractBaseUser) -> None:
    """Each step accepts the tokens of the step before it and of the step after it."""
    steps: list[tuple[str, list[str]]] = [
        ("old" * 20, []),
        ("old" * 20, ["new" * 20]),
        ("new" * 20, ["old" * 20]),
        ("new" * 20, []),
    ]
    for number, (key, fallbacks) in enumerate(steps):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, fallbacks
        grant = sessions.start(anna)
        for other, others in steps[max(0, number - 1) : number + 2]:
            settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = other, others
            verify_access_token(grant.access)
            assert sessions.refresh(grant.refresh or "").session_id == grant.session_id
