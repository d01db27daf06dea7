"""The schemas of some projects. ``python -m tests.contrib.schemas`` writes the golden files again.

A golden file shows a person what a change does to the schema. Read the difference before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

GOLDEN: Final = Path(__file__).parent / "golden"
AUTO_SCHEMA: Final = "drf_spectacular.openapi.AutoSchema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A project."""

    urls: str = "tests.contrib.urls"
    tessera: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


CLIENTS: Final = {"orders-api": "the-secret-of-the-orders-api-in-tests"}

CASES: Final = {
    "api": Case(tessera={"INTROSPECTION_CLIENTS": CLIENTS}),
    "both": Case(tessera={"PROFILE": ["api", "browser"], "INTROSPECTION_CLIENTS": CLIENTS}),
    "access_cookie": Case(tessera={"PROFILE": "browser", "ACCESS_COOKIE": True}),
    "simplejwt": Case(urls="tests.contrib.simplejwt_urls"),
    "jwt": Case(urls="tests.contrib.jwt_urls", more={"JWT_AUTH": {"JWT_AUTH_COOKIE": "token"}}),
}


@contextmanager
def configured(case: Case, **rest_framework: Any) -> Iterator[None]:
    """Use the settings of a project. REST framework reads its schema class when it defines its views."""
    from django.conf import settings
    from django.test import override_settings
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.views import APIView

    framework = {**settings.REST_FRAMEWORK, "DEFAULT_SCHEMA_CLASS": AUTO_SCHEMA, **rest_framework}
    with ExitStack() as stack:
        stack.enter_context(
            override_settings(
                ROOT_URLCONF=case.urls, TESSERA=dict(case.tessera), REST_FRAMEWORK=framework, **case.more
            )
        )
        stack.enter_context(patch.object(APIView, "schema", AutoSchema()))
        yield


def generate(**options: Any) -> dict[str, Any]:
    """Return the schema of the project that is configured. A warning of drf-spectacular is an error."""
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.validation import validate_schema

    GENERATOR_STATS.reset()
    found: dict[str, Any] = SchemaGenerator(**options).get_schema(request=None, public=True)
    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)
    validate_schema(found)
    return found


def write(name: str) -> str:
    """Return the schema of a project as YAML."""
    from drf_spectacular.renderers import OpenApiYamlRenderer

    with configured(CASES[name]):
        text: bytes = OpenApiYamlRenderer().render(generate(), renderer_context={})
    return text.decode()


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    for name in CASES:
        (GOLDEN / f"{name}.yaml").write_text(write(name))
