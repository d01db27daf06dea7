"""Draw the main numbers of a run: ``python -m benchmarks.plot RESULTS.json PICTURE.svg``.

The script runs in the environment that has matplotlib. The colours are those of Okabe and Ito, which people
with a colour vision deficiency can distinguish. Lines and bars can also be distinguished without colours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl  # type: ignore[import-not-found]  # in the environment of the plot alone

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter  # type: ignore[import-not-found]  # the same

from benchmarks.measurements import clearing, feed
from benchmarks.peers import BLACKLIST, PEERS, SIMPLEJWT, TESSERA
from benchmarks.spread import Spread, percentile

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREY: Final = "#8C8C8C"
GREEN: Final = "#009E73"
_PLAIN: Final = FuncFormatter(lambda value, _: f"{value:,.10g}")

Axes = Any


def main() -> None:
    """Draw the measurements in the file."""
    source, target = map(Path, sys.argv[1:3])
    measured = {name: it["data"] for name, it in json.loads(source.read_text())["measurements"].items()}
    panels = [(name, draw) for name, draw in _PANELS.items() if measured.get(name)]
    if not panels:
        return
    mpl.rcParams.update(
        {
            "font.size": 9,
            "font.family": "sans-serif",
            "svg.fonttype": "none",
            "svg.hashsalt": "drf-tessera",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
        }
    )
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    size = (6 * columns, 4.2 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axis, (name, draw) in zip(axes.flat, panels, strict=False):
        draw(axis, measured[name])
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_visible(False)
    figure.savefig(target, metadata={"Date": None, "Creator": None}, facecolor="white")


def _draw_protected(axis: Axes, data: dict[str, Any]) -> None:
    names = [peer for peer in PEERS if any(peer.name in it["peers"] for it in data.values())]
    names.sort(
        key=lambda peer: -data["postgres"]["peers"].get(peer.name, {}).get("ratio", {}).get("median", 0)
    )
    for shift, (database, title, colour) in enumerate(
        (("postgres", "PostgreSQL", BLUE), ("sqlite", "SQLite", ORANGE))
    ):
        found = data[database]["peers"]
        for place, peer in enumerate(names):
            if peer.name not in found:
                continue
            ratio = found[peer.name]["ratio"]
            error = [[ratio["median"] - ratio["low"]], [ratio["high"] - ratio["median"]]]
            bar = axis.barh(
                place + 0.2 - 0.4 * shift,
                ratio["median"],
                height=0.38,
                color=colour,
                xerr=error,
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
                label=title if place == 0 else None,
            )
            axis.bar_label(bar, [f"{ratio['median']:.2f}"], padding=3, fontsize=7)
    axis.axvline(1, color="#333333", linewidth=0.8, linestyle="--")
    axis.set_yticks(range(len(names)), [peer.title for peer in names], fontsize=8)
    axis.set_xlabel("times the same view without authentication (dashed: 1)")
    axis.set_title("Protected request, in the process")
    axis.legend(loc="upper right", frameon=False)


def _draw_http(axis: Axes, data: dict[str, Any]) -> None:
    width = 0.38
    for shift, (peer, colour) in enumerate(((TESSERA, BLUE), (SIMPLEJWT, ORANGE))):
        for place, rates in enumerate(data.values()):
            found = rates.get(peer.name, {})
            if "protected" not in found:
                continue
            share = Spread.of(
                [100 * up / down for up, down in zip(found["protected"], found["open"], strict=True)]
            )
            error = [[share.median - share.low], [share.high - share.median]]
            bar = axis.bar(
                place + (shift - 0.5) * width,
                share.median,
                width=width,
                color=colour,
                yerr=error,
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
                label=peer.title if place == 0 else None,
            )
            axis.bar_label(bar, [f"{share.median:.0f} %"], padding=3, fontsize=8)
    axis.axhline(100, color="#333333", linewidth=0.8, linestyle="--")
    axis.set_xticks(
        range(len(data)), [name.replace(", ", "\n").replace("=", "\n= ") for name in data], fontsize=8
    )
    axis.set_ylim(0, 150)
    axis.set_yticks(range(0, 101, 20))
    axis.set_ylabel("% of the open view's requests per second")
    axis.set_title("Over HTTP, PostgreSQL")
    axis.legend(loc="upper right", ncols=2, frameon=False)


def _draw_tokens(axis: Axes, data: dict[str, Any]) -> None:
    rounds = data["rounds"]
    algorithms = ("HS256", "RS256", "ES256", "EdDSA")
    ways = (
        ("ours", "drf-tessera", BLUE),
        ("pyjwt", "PyJWT decode", ORANGE),
        ("bare", "signature + JSON", GREY),
    )
    for shift, (way, title, colour) in enumerate(ways):
        values = [1e6 * Spread.of([it[algorithm][way] for it in rounds]).median for algorithm in algorithms]
        places = [place + (shift - 1) * 0.27 for place in range(len(algorithms))]
        bar = axis.bar(places, values, width=0.26, color=colour, label=title)
        axis.bar_label(bar, [f"{value:.0f}" for value in values], padding=2, fontsize=8)
    axis.set_xticks(range(len(algorithms)), algorithms)
    axis.set_ylabel("microseconds")
    axis.set_title("First sight of a token (no cache)")
    axis.legend(loc="upper left", frameon=False)


def _draw_refresh(axis: Axes, data: dict[str, Any]) -> None:
    lines = (
        (TESSERA.name, "refresh", "drf-tessera", BLUE, "o-"),
        (TESSERA.name, "floor", "floor: one keyed UPDATE", GREY, "s--"),
        (BLACKLIST.name, "refresh", "simplejwt, rotation and blacklist", ORANGE, "^-"),
    )
    for peer, way, title, colour, style in lines:
        found = {
            int(name.split()[1]): Spread.of([1e3 * it[way] for it in rounds])
            for name, rounds in data["rounds"].items()
            if name.split()[0] == peer
        }
        sizes = sorted(found)
        if not sizes:
            continue
        axis.plot(sizes, [found[size].median for size in sizes], style, color=colour, label=title)
        axis.fill_between(
            sizes,
            [found[size].low for size in sizes],
            [found[size].high for size in sizes],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(_PLAIN)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_ylim(bottom=0)
    axis.set_xlabel("sessions (simplejwt: outstanding tokens) in the table")
    axis.set_ylabel("milliseconds")
    axis.set_title("Refresh, PostgreSQL")
    axis.legend(loc="upper left", frameon=False)
    axis.set_ylim(top=axis.get_ylim()[1] * 1.3)


def _draw_storage(axis: Axes, data: dict[str, Any]) -> None:
    for peer, colour, style in ((TESSERA, BLUE, "o-"), (BLACKLIST, ORANGE, "^-")):
        found = data.get(f"{peer.name} refreshes")
        if not found:
            continue
        counts = [int(count) for count in found if int(count)]
        values = [found[str(count)]["bytes"] for count in counts]
        axis.plot(counts, values, style, color=colour, label=peer.title)
        axis.annotate(
            f"{values[-1]:,} bytes",
            (counts[-1], values[-1]),
            textcoords="offset points",
            xytext=(-4, 7),
            ha="right",
            fontsize=8,
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(_PLAIN)
        side.set_minor_formatter(NullFormatter())
    axis.set_ylim(bottom=100)
    axis.set_xlabel("refreshes of one user")
    axis.set_ylabel("bytes of rows")
    axis.set_title("Storage of one user, PostgreSQL")
    axis.legend(loc="upper left", frameon=False)


def _draw_revocation(axis: Axes, data: dict[str, Any]) -> None:
    delays = sorted(1e3 * it["felt"] for it in data["delays"])
    shares = [100 * (index + 1) / len(delays) for index in range(len(delays))]
    axis.plot(delays, shares, color=BLUE, label=f"{len(delays):,} logouts")
    promised = data["poll"] * 1e3 + 100
    axis.axvline(promised, color="#333333", linewidth=0.8, linestyle="--")
    axis.annotate(
        f"promised: {promised:,.0f} ms",
        (promised, 50),
        rotation=90,
        textcoords="offset points",
        xytext=(4, 0),
        va="center",
        fontsize=8,
    )
    axis.annotate(
        f"longest: {delays[-1]:,.0f} ms",
        (delays[-1], 100),
        textcoords="offset points",
        xytext=(-6, -14),
        ha="right",
        fontsize=8,
    )
    axis.set_xlim(0, promised * 1.12)
    axis.set_ylim(0, 103)
    axis.set_xlabel("milliseconds from sending the logout to another process's 401")
    axis.set_ylabel("% of logouts felt by then")
    axis.set_title("Logout felt by another server")
    axis.legend(loc="upper left", frameon=False)


def _draw_feed(axis: Axes, data: dict[str, Any]) -> None:
    lines = (("postgres", "PostgreSQL", BLUE, "o-"), ("redis", "Redis", ORANGE, "^-"))
    for store, title, colour, style in lines:
        if store not in data:
            continue
        polls = data[store]["polls"]
        costs = [polls[f"{rate} {feed.choose_processes(data, store, rate)}"]["cpu"] for rate in feed.RATES]
        axis.plot(feed.RATES, [1e3 * cost for cost in costs], style, color=colour, label=title)
    if "postgres" in data:
        packed = {int(rate): 1e3 * it["seconds"] for rate, it in data["postgres"]["packed"].items()}
        axis.plot(
            list(packed), list(packed.values()), "s--", color=GREY, label="simulation: packed by a relay"
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(_PLAIN)
        side.set_minor_formatter(NullFormatter())
    axis.set_xlabel("sessions that end in a second")
    axis.set_ylabel("milliseconds of CPU")
    axis.set_title("Feed: one poll of one process")
    axis.legend(loc="upper left", frameon=False)


def _draw_memory(axis: Axes, data: dict[str, Any]) -> None:
    curve = data["sessions"]["curve"]
    axis.plot([it[0] for it in curve], [it[2] / 1e6 for it in curve], color=BLUE, label="memory")
    axis.axhline(64, color="#333333", linewidth=0.8, linestyle="--")
    axis.set_ylim(0, 80)
    axis.set_xlabel("seconds (dashed: the limit of 64 MB)")
    axis.set_ylabel("MB")
    axis.set_title(f"{data['sessions']['count']:,} sessions end in 300 s")
    axis.legend(loc="lower right", frameon=False)


def _draw_clearing(axis: Axes, data: dict[str, Any]) -> None:
    periods = [period for period in clearing.PERIODS if data["waits"]["call"][period]]
    for shift, (kind, colour) in enumerate((("call", BLUE), ("refresh", ORANGE))):
        waits = [data["waits"][kind][period] for period in periods]
        for percent, alpha in ((99, 0.45), (50, 1.0)):
            values = [1e3 * percentile(found, percent) if found else 0.0 for found in waits]
            places = [place + (shift - 0.5) * 0.38 for place in range(len(periods))]
            label = f"{kind}, {percent} %"
            bar = axis.bar(places, values, width=0.36, color=colour, alpha=alpha, label=label)
            if percent == 99:
                axis.bar_label(bar, [f"{value:.0f}" for value in values], padding=2, fontsize=8)
    axis.set_xticks(range(len(periods)), periods)
    axis.set_ylabel("milliseconds")
    axis.set_title(f"Requests while {data['rows']:,} sessions end")
    axis.legend(loc="upper right", frameon=False, fontsize=8)
    axis.set_ylim(top=axis.get_ylim()[1] * 1.25)


def _draw_updates(axis: Axes, data: dict[str, Any]) -> None:
    factors = sorted({int(name.split()[0]) for name in data["found"]})
    width = 0.19
    bars = [
        (part, moment, colour, alpha)
        for part, colour in (("table", BLUE), ("indexes", ORANGE))
        for moment, alpha in (("before", 0.45), ("after", 1.0))
    ]
    for shift, (part, moment, colour, alpha) in enumerate(bars):
        values = [data["found"][f"{factor} with"][moment][part] / data["rows"] for factor in factors]
        places = [place + (shift - 1.5) * width for place in range(len(factors))]
        bar = axis.bar(places, values, width=width, color=colour, alpha=alpha, label=f"{part}, {moment}")
        axis.bar_label(bar, [f"{value:.0f}" for value in values], padding=2, fontsize=7)
    axis.set_xticks(range(len(factors)), [f"fill factor {factor}" for factor in factors], fontsize=8)
    axis.set_ylabel("MB for a million sessions")
    axis.set_title("An hour of refreshes, with vacuum")
    axis.legend(loc="upper right", ncols=2, frameon=False, fontsize=8)
    axis.set_ylim(top=axis.get_ylim()[1] * 1.3)


def _draw_logins(axis: Axes, data: dict[str, Any]) -> None:
    found: dict[str, dict[str, float]] = {}
    for name, it in data.items():
        way, rate = name.split(", ")
        found.setdefault(way, {})[f"{rate} logins a second"] = it["refresh"]["99"] or 0.0
    _draw_groups(axis, found, "{:,.0f}")
    axis.set_title("Refreshes beside logins")


def _draw_rotation(axis: Axes, data: dict[str, Any]) -> None:
    found: dict[str, dict[str, float]] = {}
    for name, it in data.items():
        change, phase = name.split(", ")
        found.setdefault(phase, {})[change] = it["refresh"]["99"]
    _draw_groups(axis, found, "{:.0f}")
    axis.set_title("Refreshes before, during and after a change of the key")


def _draw_groups(axis: Axes, found: dict[str, dict[str, float]], text: str) -> None:
    """Draw the 99th percentiles: a group for each situation, and a bar for each of three series in it."""
    groups = list(next(iter(found.values())))
    for shift, ((name, values), colour) in enumerate(zip(found.items(), (GREY, ORANGE, BLUE), strict=False)):
        places = [place + (shift - 1) * 0.27 for place in range(len(groups))]
        heights = [1e3 * values[group] for group in groups]
        bar = axis.bar(places, heights, width=0.26, color=colour, label=name)
        axis.bar_label(bar, [text.format(height) for height in heights], padding=2, fontsize=8)
    axis.set_xticks(range(len(groups)), groups, fontsize=8)
    axis.set_ylabel("milliseconds, 99th percentile")
    axis.legend(loc="upper left", frameon=False)
    axis.set_ylim(top=axis.get_ylim()[1] * 1.3)


def _draw_importing(axis: Axes, data: dict[str, Any]) -> None:
    for run, colour in zip(reversed(data["runs"]), (BLUE, ORANGE), strict=True):
        memory = [value / (1 << 20) for value in run["memory"]]
        places = [run["rows"] * (index + 1) / len(memory) for index in range(len(memory))]
        axis.plot(places, memory, color=colour, label=f"{run['rows']:,} tokens")
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_formatter(_PLAIN)
    axis.set_xlabel("tokens imported")
    axis.set_ylabel("memory of the process, MiB")
    axis.set_title("tessera_import_simplejwt")
    axis.legend(loc="lower right", frameon=False)


_PANELS: Final[dict[str, Callable[[Axes, dict[str, Any]], None]]] = {
    "protected": _draw_protected,
    "http": _draw_http,
    "tokens": _draw_tokens,
    "refresh": _draw_refresh,
    "storage": _draw_storage,
    "revocation": _draw_revocation,
    "feed": _draw_feed,
    "memory": _draw_memory,
    "clearing": _draw_clearing,
    "updates": _draw_updates,
    "logins": _draw_logins,
    "rotation": _draw_rotation,
    "importing": _draw_importing,
}


if __name__ == "__main__":
    main()
