from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from rest_framework.test import APIClient

from drf_tessera.conf import foreign
from drf_tessera.limits.counters import forget_counts
from drf_tessera.revocation.feed import get_feed

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _fresh_throttles() -> Iterator[None]:
    forget_counts()
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _fresh_feed() -> None:
    """Each test starts like a new process: its first call reads the revocations."""
    get_feed.forget()


@pytest.fixture(autouse=True)
def _legacy_tokens(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both packages of ``compat/`` are installed here, but most tests are about a project without them."""
    monkeypatch.setitem(foreign._expecting, "legacy tokens", "compat" in request.path.parts)


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture
def anna(db: None) -> AbstractBaseUser:
    return make_user("anna")


@pytest.fixture
def bob(db: None) -> AbstractBaseUser:
    return make_user("bob")


def make_user(name: str, **fields: object) -> AbstractBaseUser:
    """Create a user of the run's user model."""
    model = get_user_model()
    if model.USERNAME_FIELD == "email":
        return model.objects.create_user(email=f"{name}@example.com", password=PASSWORD, **fields)
    if model.USERNAME_FIELD == "handle":
        return model.objects.create_user(handle=name, password=PASSWORD, **fields)
    return model.objects.create_user(
        username=name, email=f"{name}@example.com", password=PASSWORD, first_name=name.title(), **fields
    )


def log_in(api: APIClient, user: AbstractBaseUser, **extra: object) -> dict[str, object]:
    """Log in through the API and return the body of the answer."""
    answer = api.post("/api/token/", {"username": user.get_username(), "password": PASSWORD, **extra})
    assert answer.status_code == 200, answer.content
    return answer.json()


def bearer(token: object) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}
