"""``python -m benchmarks.importing [ROWS]``: the memory of ``tessera_import_simplejwt`` on PostgreSQL.

The command imports a fiftieth of the rows and then all rows, each time in a new process. The default is a
million rows. It prints a table, and writes the table and a picture beside the other results. It is not a part
of ``make bench``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import environments
from benchmarks.peers import ROOT
from benchmarks.progress import say
from benchmarks.results import COMMITTED, SCRATCH

MILLION: Final = 1_000_000
TITLE: Final = "Results of `python -m benchmarks.importing`"
_MIB: Final = 1 << 20


def main() -> int:
    """Measure, print the table, and draw the picture."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    environments.make(environments.OURS)
    environments.make("plot")
    runs = [_import(rows) for rows in (max(most // 50, 1), most)]
    folder = COMMITTED if most == MILLION else SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    table = _tell(runs)
    print(table)
    (folder / "importing.md").write_text(f"# {TITLE}\n\n![The memory](importing.svg)\n\n{table}\n")
    _draw(runs, folder / "importing.svg")
    return 0


def _import(rows: int) -> dict[str, Any]:
    say(f"{rows:,} tokens")
    python = str(environments.python_of(environments.OURS))
    path = os.pathsep.join((str(ROOT), str(ROOT / "compat" / "simplejwt" / "src")))
    done = subprocess.run(
        [python, "-m", "benchmarks.inside.importing", str(rows)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tell(runs: list[dict[str, Any]]) -> str:
    lines = [
        "| tokens | before, MiB | peak, MiB | seconds | sessions | of them live |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {it['rows']:,} | {it['before'] / _MIB:.0f} | {it['peak'] / _MIB:.0f} | {it['seconds']:.0f} "
        f"| {it['sessions']:,} | {it['live']:,} |"
        for it in runs
    ]
    return "\n".join(lines)


def _draw(runs: list[dict[str, Any]], target: Path) -> None:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    source = SCRATCH / "importing.json"
    source.write_text(json.dumps({"measurements": {"importing": {"data": {"runs": runs}}}}))
    python = str(environments.python_of("plot"))
    subprocess.run([python, "-m", "benchmarks.plot", str(source), str(target)], cwd=ROOT, check=True)
    say(f"drawn: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
