"""The other environments of the tests: Django 6, which needs Python 3.12 or newer, and real applications.

An environment is created when a test needs it. Only one process at a time creates it, because several workers
of pytest-xdist may need it at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
DJANGO_6 = ROOT / ".venv-django6"
APPLICATIONS = ROOT / ".venv-applications"
ACCOUNTS = ROOT / ".venv-accounts"
TENANTS = ROOT / ".venv-tenants"
ORIGINAL = ROOT / ".venv-original"
ORIGINAL_JWT = ROOT / ".venv-original-jwt"
MCP = ROOT / ".venv-mcp"
DJANGO_REDIS = ROOT / ".venv-django-redis"
VERSIONS = ROOT / ".venv-versions"
COMPAT = (ROOT / "compat" / "simplejwt", ROOT / "compat" / "jwt")
OLDEST = (3, 12)
_PRINT_VERSION = "import sys; print(*sys.version_info[:2])"


def find_python() -> str | None:
    """Return a Python that runs Django 6: this Python, a Python on the path, or a Python of pyenv."""
    return next((path for path in _list_pythons() if _runs_django_6(path)), None)


def _list_pythons(oldest: int = OLDEST[1]) -> Iterator[str]:
    yield sys.executable
    for minor in range(20, oldest - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for path in sorted(versions.glob("3.*/bin/python"), reverse=True))


def _runs_django_6(python: str) -> bool:
    # A path is not enough, because pyenv has shims for versions that are switched off.
    found = subprocess.run([python, "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)
    return found.returncode == 0 and tuple(map(int, found.stdout.split())) >= OLDEST


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file at ``path``. Wait if another process holds the lock."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_django(python: str, version: str) -> str:
    """Install Django ``version`` into its environment, and return the interpreter. Create it if necessary."""
    inside = str(DJANGO_6 / "bin" / "python")
    mark = DJANGO_6 / ".installed"
    pinned = REQUIREMENTS / "test.txt"
    if not mark.exists() or mark.stat().st_mtime < pinned.stat().st_mtime:
        subprocess.run([python, "-m", "venv", "--clear", str(DJANGO_6)], check=True)
        _install(inside, "--require-hashes", "-r", str(pinned))
        own = [str(ROOT), *map(str, COMPAT)]
        _install(
            inside, "--no-deps", "--no-build-isolation", *(part for path in own for part in ("-e", path))
        )
        mark.touch()
    _install(inside, "--require-hashes", "-r", str(REQUIREMENTS / f"django-{version}.txt"))
    return inside


def install_versions(python: str, name: str, pinned: Sequence[str]) -> str:
    """Return the interpreter of the environment ``name``, with the files ``pinned`` installed over test.txt.

    All combinations of one Python share the environment, so test.txt is installed again each time. That
    undoes the combination before.
    """
    inside = _make(VERSIONS / name, python, REQUIREMENTS / "test.txt")
    for file in ("test.txt", *pinned):
        _install(inside, "--require-hashes", "-r", str(REQUIREMENTS / file))
    return inside


def find_pythons(oldest: int = 11) -> dict[int, str]:
    """Return each Python 3 that is here, by its minor version."""
    found: dict[int, str] = {}
    for path in _list_pythons(oldest):
        done = subprocess.run([path, "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)
        major, _, minor = done.stdout.strip().partition(" ")
        if done.returncode == 0 and major == "3" and int(minor) >= oldest:
            found.setdefault(int(minor), path)
    return found


def install_applications(python: str) -> str:
    """Return the interpreter of the environment with real applications on drf-tessera. Create it at need."""
    # Install without dependencies, because a dependency is the original package that drf-tessera replaces.
    return _make(APPLICATIONS, python, REQUIREMENTS / "applications.txt", "--no-deps")


def install_accounts(python: str) -> str:
    """Return the interpreter of an environment with djoser and dj-rest-auth. Create it if needed."""
    return _make(ACCOUNTS, python, REQUIREMENTS / "accounts.txt", own=(ROOT,))


def install_tenants(python: str) -> str:
    """Return the interpreter of the environment with django-tenants. Create the environment if needed."""
    return _make(TENANTS, python, REQUIREMENTS / "tenants.txt", own=(ROOT,))


def install_original(python: str) -> str:
    """Return the interpreter of an environment with the original simplejwt only. Create it if needed."""
    return _make(ORIGINAL, python, REQUIREMENTS / "bench-simplejwt.txt", own=())


def install_mcp() -> str:
    """Return the interpreter of an environment with a client of MCP only. Create it if needed."""
    return _make(MCP, sys.executable, REQUIREMENTS / "mcp.txt", own=())


def install_django_redis() -> Path:
    """Return the folder with django-redis alone. A path of Python that has it too runs the other packages."""
    pinned, mark = REQUIREMENTS / "django-redis.txt", DJANGO_REDIS / ".installed"
    with locked(pinned):
        if not mark.exists() or mark.stat().st_mtime < pinned.stat().st_mtime:
            shutil.rmtree(DJANGO_REDIS, ignore_errors=True)
            options = ["--no-deps", "--target", str(DJANGO_REDIS), "--require-hashes", "-r", str(pinned)]
            _install(sys.executable, *options)
            mark.touch()
    return DJANGO_REDIS


def install_packages(folder: Path) -> None:
    """Install the packages that the npm lock in ``folder`` pins, if they are not installed."""
    lock, mark = folder / "package-lock.json", folder / "node_modules" / ".installed"
    with locked(lock):
        if not mark.exists() or mark.read_text() != lock.read_text():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            mark.write_text(lock.read_text())


def install_original_jwt(python: str) -> str:
    """Create, if necessary, an environment of djangorestframework-jwt itself, and return its interpreter.

    Its Django needs Python 3.11 or older, because newer Pythons lack ``distutils``.
    """
    return _make(ORIGINAL_JWT, python, REQUIREMENTS / "original-jwt.txt", own=())


def find_older_python() -> str | None:
    """Return a Python 3.11 for :func:`install_original_jwt`, or ``None``."""
    for path in _list_pythons(oldest=11):
        found = subprocess.run([path, "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)
        if found.stdout.split() == ["3", "11"]:
            return path
    return None


def _make(
    folder: Path, python: str, pinned: Path, *options: str, own: Sequence[Path] = (ROOT, *COMPAT)
) -> str:
    inside, mark = str(folder / "bin" / "python"), folder / ".installed"
    with locked(pinned):
        if not mark.exists() or mark.stat().st_mtime < pinned.stat().st_mtime:
            subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
            _install(inside, *options, "--require-hashes", "-r", str(pinned))
            for path in own:
                _install(inside, "--no-deps", "--no-build-isolation", "-e", str(path))
            mark.touch()
    return inside


def _install(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)
