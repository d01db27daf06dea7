"""Build the three distributions and install the wheels: ``python -m tests.wheels`` prints an interpreter.

With that interpreter pytest tests what a user installs, and not the folders of the checkout::

    $(.venv/bin/python -m tests.wheels) -m pytest

The environment is ``.venv-wheels``. It has our wheels and nothing more. Everything else comes from the
environment that runs this module, by a ``.pth`` file. Python does not follow the ``.pth`` files of a folder
that was added by one, so the editable installs of that environment are not found.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = {
    "drf_tessera": ROOT,
    "drf_tessera_simplejwt": ROOT / "compat" / "simplejwt",
    "drf_tessera_jwt": ROOT / "compat" / "jwt",
}
FOLDER = ROOT / ".venv-wheels"


def build(folder: Path) -> list[Path]:
    """Build each distribution into ``folder``, its wheel from its source, and return the wheels."""
    for source in DISTRIBUTIONS.values():
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source))
    return sorted(folder.glob("*.whl"))


def install(wheels: Sequence[Path], folder: Path = FOLDER) -> str:
    """Make an environment of ``wheels`` and of what this interpreter has, and return its interpreter."""
    _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
    inside = str(folder / "bin" / "python")
    _run(
        *(
            sys.executable,
            "-m",
            "pip",
            "--python",
            inside,
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ),
        *("--no-index", "--no-deps", *map(str, wheels)),
    )
    _borrow_packages(folder)
    _borrow_scripts(folder)
    return inside


def _borrow_packages(folder: Path) -> None:
    # From the path of this process, because this environment may have borrowed its packages, too.
    places = [place for place in dict.fromkeys(sys.path) if Path(place).name == "site-packages"]
    own = next((folder / "lib").glob("python*/site-packages"))
    (own / "borrowed.pth").write_text("".join(f"{place}\n" for place in places))


def _borrow_scripts(folder: Path) -> None:
    """Copy the scripts of this environment, such as ``django-admin``, to run in the new one."""
    here, there = Path(sysconfig.get_path("scripts")), folder / "bin"
    first = f"#!{here}/python".encode()
    for script in here.iterdir():
        text = script.read_bytes() if script.is_file() else b""
        if text.startswith(first) and not (there / script.name).exists():
            (there / script.name).write_bytes(text.replace(bytes(here), bytes(there), 1))
            (there / script.name).chmod(0o755)


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def main() -> None:
    """Build, install, and print the interpreter."""
    with TemporaryDirectory() as folder:
        print(install(build(Path(folder))))  # noqa: T201 - for the shell


if __name__ == "__main__":
    main()
