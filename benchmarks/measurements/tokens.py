"""Target 3: the first verification of a token, compared with PyJWT's ``decode`` and the bare minimum.

All three run in one process, in turns, on the same tokens. ``bare`` checks only the signature, and parses the
header and the body.
"""

from __future__ import annotations

from typing import Final

from benchmarks.peers import HOME, TESSERA
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, ratios
from benchmarks.workers import take_turns, working

ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")


def measure(scale: Scale) -> Outcome:
    """Measure all algorithms."""
    outcome = Outcome()
    with working(TESSERA, "sqlite", name="tokens") as worker:
        worker.ask("tokens.prepare", folder=str(HOME / "keys"), count=scale.pick(100, 20))
        worker.ask("tokens.measure")
        rounds = take_turns(
            "first sight of a token", {"tessera": worker}, rounds=scale.pick(300, 10), call="tokens.measure"
        )["tessera"]
    outcome.data = {"rounds": rounds}
    rows = []
    for algorithm in ALGORITHMS:
        times = {name: [found[algorithm][name] for found in rounds] for name in ("ours", "pyjwt", "bare")}
        beside_pyjwt = ratios(times["ours"], times["pyjwt"])
        beside_bare = ratios(times["ours"], times["bare"])
        shown = [Spread.of(times[name]).show(1, scale=1e6) for name in ("ours", "pyjwt", "bare")]
        rows.append((algorithm, *shown, beside_pyjwt.show(2), beside_bare.show(2)))
        symmetric = algorithm == "HS256"
        judged = beside_pyjwt if symmetric else beside_bare
        limit = 0.6 if symmetric else 1.4
        outcome.targets.append(
            Target(
                number=3,
                what=f"first sight of a token, {algorithm}: ratio to"
                f" {'PyJWT' if symmetric else 'the bare signature and JSON'}",
                wanted=f"at most {limit}",
                reached=judged.show(2),
                met=judged.median <= limit,
            )
        )
    outcome.tables.append(
        Table(
            title="First sight of a token",
            note="Microseconds, without any cache. `PyJWT` is `decode` with a prepared key, and checks"
            " issuer, audience and dates. `bare` is only the signature and two JSON texts.",
            header=("", "drf-tessera", "PyJWT", "bare", "times PyJWT", "times bare"),
            rows=rows,
        )
    )
    return outcome
