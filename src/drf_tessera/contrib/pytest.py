"""Fixtures for the tests of projects. pytest loads this file in every project that installs the package.

So the file imports nothing but pytest, and a project that uses none of the fixtures pays nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

    from drf_tessera.testing import TokenClient

NAME: Final = "tessera-user"
"""The name of the user of the fixture ``tessera_user``."""


@pytest.hookimpl(tryfirst=True)  # before the fixtures, because one of them may log in
def pytest_runtest_setup() -> None:
    """Drop the counts of the limits before each test, in a project that uses the package."""
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        return
    from django.apps import apps  # noqa: PLC0415 - only with Django

    if apps.ready and apps.is_installed("drf_tessera"):
        from drf_tessera.testing import forget_attempts  # noqa: PLC0415 - only with Django

        forget_attempts()


@pytest.fixture
def tessera_client_for(db: None) -> Callable[..., TokenClient]:
    """Return a function ``(user, **claims)`` that makes a client with an access token of the user."""
    from drf_tessera.testing import client_for  # noqa: PLC0415 - only with Django

    return client_for


@pytest.fixture
def tessera_user(db: None) -> AbstractBaseUser:
    """Return the user of the other fixtures. If your user model needs more fields, write your own fixture."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - only with Django

    model: Any = get_user_model()
    user: AbstractBaseUser = model(**{model.USERNAME_FIELD: NAME})
    user.set_unusable_password()
    user.save()
    return user


@pytest.fixture
def tessera_client(
    tessera_user: AbstractBaseUser, tessera_client_for: Callable[..., TokenClient]
) -> TokenClient:
    """Return a client that is logged in as ``tessera_user``."""
    return tessera_client_for(tessera_user)


@pytest.fixture
def tessera_expired_token(tessera_user: AbstractBaseUser) -> str:
    """Return an access token of ``tessera_user`` that has expired."""
    from drf_tessera.testing import expired_token  # noqa: PLC0415 - only with Django

    return expired_token(tessera_user)


@pytest.fixture
def tessera_wrong_audience_token(tessera_user: AbstractBaseUser) -> str:
    """Return an access token of ``tessera_user`` for another audience."""
    from drf_tessera.testing import wrong_audience_token  # noqa: PLC0415 - only with Django

    return wrong_audience_token(tessera_user)


@pytest.fixture
def tessera_ended_token(tessera_user: AbstractBaseUser) -> str:
    """Return an access token of ``tessera_user`` whose session was ended."""
    from drf_tessera.testing import ended_token  # noqa: PLC0415 - only with Django

    return ended_token(tessera_user)


@pytest.fixture
def tessera_clock() -> Iterator[Callable[[timedelta], object]]:
    """Stop the clock, by freezegun or time-machine, and return a function that moves it on.

    Raises:
        ModuleNotFoundError: neither of the two is installed.
    """
    with _find_stopper()() as move:
        yield move


def _find_stopper() -> Callable[[], AbstractContextManager[Callable[[timedelta], object]]]:
    """Return the function that stops the clock. freezegun goes first, because macOS hides the other one."""
    if find_spec("freezegun"):
        from drf_tessera.contrib import freezegun  # noqa: PLC0415 - if it is installed

        return freezegun.stop_clock
    if find_spec("time_machine"):
        from drf_tessera.contrib import time_machine  # noqa: PLC0415 - if it is installed

        return time_machine.stop_clock
    raise ModuleNotFoundError("tessera_clock needs freezegun or time-machine. Install one of them.")
