"""Every name in capitals that a page shows as code is a key of ``TESSERA`` or a name of another package.

Otherwise a removed key would stay on the pages. The page of the API is not read here, because it is made from
the source. In a script, only the comments are read.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import global_settings
from rest_framework.settings import DEFAULTS

from drf_tessera.conf.settings import KEYS
from drf_tessera.jose.algorithms import ALGORITHMS
from drf_tessera.legacy import JWT_AUTH, SIMPLE_JWT
from tests.english import read_script
from tests.wheels import ROOT

pytestmark = pytest.mark.once  # it reads pages


def read_page(path: Path) -> str:
    """Return the text of a page, or the comments of a script."""
    text = path.read_text()
    if path.suffix == ".md":
        return text
    return "\n".join(prose.text for prose in read_script(text, messages=False))


PLACES = ("*.md", "docs/**/*.md", "compat/*/*.md", "src/**/*.md", "src/**/*.js", "src/**/*.d.ts")
PAGES = {
    path.relative_to(ROOT).as_posix(): read_page(path)
    for place in PLACES
    for path in sorted(ROOT.glob(place))
    if "node_modules" not in path.relative_to(ROOT).parts and path.name != "api.md"
}

_SPAN = re.compile(r"`([^`\n]+)`")
_NAME = re.compile(r"(?<![\w.-])[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*(?![\w-])")
_BLOCK = re.compile(r"^[ \t]*```python\n(.*?)^[ \t]*```$", re.MULTILINE | re.DOTALL)
_TESSERA = re.compile(r"^TESSERA = \{(.*?)\}$", re.MULTILINE | re.DOTALL)
_BY_INDEX = re.compile(r"""TESSERA\[\\?["'](\w+)\\?["']\]""")
_FIRST_COLUMN = re.compile(r"^\|([^|]*)\|", re.MULTILINE)


def read_first_column(page: str) -> set[str]:
    """Return the names in the first column of the tables of a page about another package."""
    return {
        name
        for cell in _FIRST_COLUMN.findall(PAGES[page])
        for span in _SPAN.findall(cell)
        for name in _NAME.findall(span)
    }


FOREIGN = {
    "simplejwt": {*SIMPLE_JWT, "AUTH_COOKIE"},  # as tutorials have it
    "djangorestframework-jwt": set(JWT_AUTH),
    "knox": read_first_column("docs/migrate/from-knox.md"),
    "dj-rest-auth": read_first_column("docs/migrate/from-dj-rest-auth.md") | {"ACCOUNT_LOGOUT_ON_GET"},
    "django-cors-headers": {
        "CORS_EXPOSE_HEADERS",
        "CORS_ALLOW_HEADERS",
        "CORS_ALLOWED_ORIGINS",
        "CORS_ALLOW_CREDENTIALS",
    },
    "django-axes": {
        f"AXES_{name}"
        for name in ("COOLOFF_TIME", "HTTP_RESPONSE_CODE", "PERMALOCK_MESSAGE", "RESET_ON_SUCCESS")
    },
    "allauth": {
        *("ACCOUNT_EMAIL_VERIFICATION", "ACCOUNT_RATE_LIMITS"),
        *("ALLAUTH_TRUSTED_PROXY_COUNT", "HEADLESS_FRONTEND_URLS"),
    },
    "djoser": {"SEND_ACTIVATION_EMAIL"},
    "django-tenants": {"TENANT_APPS", "SHARED_APPS"},
    "django-redis": {"IGNORE_EXCEPTIONS"},
    "the shell": {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"},
}
"""The settings of other programs. A page may name them if it also names the program."""

EVERYWHERE = {
    "TESSERA",
    *("REST_FRAMEWORK", "SIMPLE_JWT", "JWT_AUTH", "REST_KNOX", "REST_AUTH"),
    *DEFAULTS,
    *(name for name in dir(global_settings) if name.isupper()),
    # Django, below its settings
    *(
        "ATOMIC_REQUESTS",
        "CONN_MAX_AGE",
        "AUTOCOMMIT",
        "CONN_HEALTH_CHECKS",
        "CONN_MAX_AGE",
        "KEY_PREFIX",
        "USERNAME_FIELD",
        "EMAIL_FIELD",
        "MAX_ENTRIES",
        "OPTIONS",
        "REMOTE_ADDR",
    ),
    *("GET", "POST", "DELETE"),
    *ALGORITHMS,
    *("SELECT", "UPDATE", "INSERT", "EXISTS", "RETURNING", "REPEATABLE", "READ"),
    *("CI", "JWT", "SET", "TYPE_CHECKING", "UTC", "README", "BENCH", "REGISTERED_CLAIMS"),
    *(f"PG{name}" for name in ("HOST", "PORT", "USER", "PASSWORD")),
    *(f"MARIADB_{name}" for name in ("HOST", "PORT", "USER", "PASSWORD")),
}
"""Names that are not keys of ``TESSERA`` and that every page may use."""


def find_strangers(text: str) -> set[str]:
    """Return the names of a page that are neither keys of ``TESSERA`` nor names of a package on the page."""
    known = EVERYWHERE.union(*(names for package, names in FOREIGN.items() if package in text))
    named = {name for span in _SPAN.findall(text) for name in _NAME.findall(span)}
    ours = set(_BY_INDEX.findall(text))
    for block in _BLOCK.findall(text):
        for body in _TESSERA.findall(block):
            ours |= set(re.findall(r'"(\w+)":', re.sub(r"\[.*?\]", "", body, flags=re.DOTALL)))
    return ((named - known) | ours) - set(KEYS)


@pytest.mark.parametrize("page", PAGES)
def test_every_name_in_capitals_exists(page: str) -> None:
    assert find_strangers(PAGES[page]) == set()


def test_the_pages_name_every_key() -> None:
    named = {name for text in PAGES.values() for span in _SPAN.findall(text) for name in _NAME.findall(span)}
    assert set(KEYS) <= named


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The output of the server's `USER_SERIALIZER`.", {"USER_SERIALIZER"}),
        ("As `USER_SERIALIZER` of knox.", set()),
        ("Set `REVOCATION_JITTER`.", {"REVOCATION_JITTER"}),
        ('Set `TESSERA = {"JITTER": 3}`.', {"JITTER"}),
        ('Set `TESSERA["TRANSPORT"]`.', {"TRANSPORT"}),
        ("`TESSERA['LEEWAY']` is a setting of simplejwt.", {"LEEWAY"}),
        ('```python\nTESSERA = {\n    "PROFILE": "api",\n    "LEEWAY": 5,\n}\n```\n', {"LEEWAY"}),
        ('```python\nTESSERA = {"KEYS": [{"alg": "EdDSA"}]}\n```\n', set()),
        ("`PROFILE`, `ACCESS_LIFETIME`, `DEBUG` and `client.LIMITS`.", set()),
        ("PROFILES in prose", set()),
    ],
)
def test_a_planted_name_is_found(text: str, found: set[str]) -> None:
    assert find_strangers(text) == found


def test_each_package_has_names() -> None:
    assert all(FOREIGN.values())
    assert {"USER_SERIALIZER", "TOKEN_TTL"} <= FOREIGN["knox"]
    assert "JWT_AUTH_COOKIE_USE_CSRF" in FOREIGN["dj-rest-auth"]


def test_the_settings_page_lists_the_keys_in_the_order_of_the_code() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", PAGES["docs/reference/settings.md"], re.MULTILINE)
    assert listed == list(KEYS)


def test_the_pages_are_found() -> None:
    wanted = {"README.md", "src/drf_tessera/static/drf_tessera/README.md", "docs/reference/settings.md"}
    assert wanted <= set(PAGES)
    assert {"client.js", "client.d.ts", "core.js"} <= {
        Path(page).name for page in PAGES if page.startswith("src/")
    }
