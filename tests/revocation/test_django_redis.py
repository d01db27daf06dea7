"""The store in Redis works with the cache of the package django-redis, as with Django's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments import ROOT, install_django_redis
from tests.servers import require
from tests.settings import PREFIX

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.once]

FILES = [str(Path(__file__).parent / name) for name in ("test_redis.py", "test_caches.py")]


def test_the_tests_of_the_store_pass() -> None:
    require("redis-server")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            filter(None, [os.environ.get("PYTHONPATH"), str(install_django_redis())])
        ),
        "TESSERA_TEST_REDIS": "django_redis.cache.RedisCache",
        "TESSERA_TEST_NAME": f"{PREFIX}_redis",
        "TESSERA_TEST_DB": "sqlite",
    }
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    names = "not cluster and not sentinel"  # these have backends of their own
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", names]
    done = subprocess.run(
        [*command, *FILES], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
