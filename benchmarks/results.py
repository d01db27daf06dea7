"""The results of a measurement, and their tables and files."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import HOME, ROOT

COMMITTED: Final = ROOT / "benchmarks" / "results"
_LOADED: Final = (
    " **Other programs used the machine at the same time**, so times are longer than on a machine of its own."
    " Counts, bytes and ratios are not affected."
)
_HASTY: Final = (
    "This is a **quick run** (`--quick`), with few repetitions and small tables, for a first impression."
)
SCRATCH: Final = HOME / "results"
"""The folder for runs that did not measure everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A number that was promised, and the measured number."""

    number: int
    what: str
    wanted: str
    reached: str
    met: bool | None
    """``None`` means that the number could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All measured numbers, as a table for people."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(slots=True)
class Outcome:
    """The result of one measurement."""

    targets: list[Target] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The circumstances of a run."""

    minutes: float
    load: tuple[float, float]
    """The load average of the machine before and after the run: 0 before means that nothing else ran."""
    quick: bool


def write(
    outcomes: Mapping[str, Outcome], run: Run, *, complete: bool, versions: Mapping[str, Any], keep: str = ""
) -> Path:
    """Write the JSON and the Markdown. Return the path of the JSON.

    Args:
        outcomes: the results, by the names of the measurements.
        run: the circumstances.
        complete: whether everything was measured, so that this becomes the committed run.
        versions: the packages of each environment.
        keep: the name of the files, if a part is committed beside the whole run.
    """
    folder = COMMITTED if complete or keep else SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    facts = {
        "date": f"{now:%Y-%m-%d}",
        "minutes": round(run.minutes, 1),
        "load": [round(value, 1) for value in run.load],
        "quick": run.quick,
        "machine": _describe_machine(),
        "versions": versions,
    }
    path = folder / (f"{keep}.json" if keep else f"{now:%Y-%m-%d}.json")
    measured = {name: _round(asdict(outcome)) for name, outcome in outcomes.items()}
    path.write_text(json.dumps({**facts, "measurements": measured}, indent=1) + "\n")
    (folder / f"{keep or 'README'}.md").write_text(_write_report(outcomes, facts, path.name, keep))
    return path


def show_targets(outcomes: Mapping[str, Outcome]) -> str:
    """Return the table of the targets."""
    targets = sorted(
        (target for outcome in outcomes.values() for target in outcome.targets),
        key=lambda target: target.number,
    )
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(str(it.number), it.what, it.wanted, it.reached, words[it.met]) for it in targets]
    return _write_table(("", "measurement", "target", "result", "met"), rows)


def _write_report(outcomes: Mapping[str, Outcome], facts: Mapping[str, Any], source: str, keep: str) -> str:
    machine = facts["machine"]
    options = " ".join([*(outcomes if keep else ()), *(["--quick"] if facts["quick"] else [])])
    command = f'make bench BENCH="{options}"' if options else "make bench"
    parts = [
        f"# Results of `{command}`",
        "",
        f"Measured on {facts['date']} in {facts['minutes']:.0f} minutes, on {machine['cores']} cores"
        f" ({machine['processor']}), {machine['memory']} of memory, {machine['system']}."
        f" The numbers are in [{source}]({source}).",
        "",
        f"The load average of the machine was {facts['load'][0]} before the run and {facts['load'][1]} after"
        " it." + (_LOADED if facts["load"][0] > machine["cores"] / 2 else ""),
        *(["", _HASTY] if facts["quick"] else []),
        "",
        "Values are medians. The values in brackets are the 10th and the 90th percentile. Compared packages"
        " were measured in turns, in the same rounds. A ratio compares values of the same round.",
        "",
        f"![The main numbers]({keep or 'performance'}.svg)",
        "",
        "## Targets",
        "",
        show_targets(outcomes),
    ]
    for outcome in outcomes.values():
        for table in outcome.tables:
            parts += ["", f"## {table.title}", "", table.note, "", _write_table(table.header, table.rows)]
    parts += ["", "## Versions", "", _write_versions(facts["versions"]), ""]
    return "\n".join(parts)


def _round(value: Any) -> Any:
    """Round a number to its significant digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    return [_round(item) for item in value] if isinstance(value, list | tuple) else value


def _write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _write_versions(versions: Mapping[str, Any]) -> str:
    wanted = (
        "python", "django", "djangorestframework", "drf-tessera", "joserfc", "pyjwt", "cryptography",
        "djangorestframework-simplejwt", "django-rest-knox", "dj-rest-auth", "django-allauth",
        "django-oauth-toolkit", "psycopg", "gunicorn", "granian",
    )  # fmt: skip
    rows = [
        (name, ", ".join(f"{key} {found[key]}" for key in wanted if key in found))
        for name, found in versions.items()
    ]
    return _write_table(("environment", "versions"), rows)


def _describe_machine() -> dict[str, Any]:
    return {
        "processor": _find_line(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown",
        "cores": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def _find_line(path: Path, name: str) -> str | None:
    if not path.exists():
        return None
    found = (line.partition(":")[2].strip() for line in path.read_text().splitlines() if name in line)
    return next(found, None)
