"""What a load measured: as a table for the terminal, and as a plot."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.load.callers import Waits
from tests.load.memory import WARM_UP, MemoryCurve

#: written by `make soak`
PLOT = Path(__file__).parents[2] / "build" / "soak.png"
#: of an interactive caller's p95 under a flood, by its idle value
LONGEST_WAIT_RATIO = 2.5


@dataclass(slots=True)
class Flood:
    """Interactive callers before and during a flood of the bulk lane."""

    idle: Waits = field(default_factory=Waits)
    flooded: Waits = field(default_factory=Waits)
    published: int = 0
    settled: int = 0

    @property
    def p95_ratio(self) -> float:
        return self.flooded.percentile(95) / self.idle.percentile(95)


@dataclass(slots=True)
class Report:
    memory: list[MemoryCurve] = field(default_factory=list)
    flood: Flood | None = None

    def text(self) -> str:
        """Markdown."""
        parts = [_memory_table(curve) for curve in self.memory]
        parts += [_flood_table(self.flood)] if self.flood is not None else []
        return "\n".join(parts)


def _memory_table(curve: MemoryCurve) -> str:
    lines = [f"{curve.title}: {curve.settled[-1]:,} events settled in {curve.seconds[-1]:.0f} s\n"]
    lines += ["| process | memory at the end | growth after warm-up |\n", "| --- | ---: | ---: |\n"]
    for name, growth in curve.growth().items():
        end = median(curve.mib[name][-8:])
        lines.append(f"| {name} | {end:.0f} MiB | {growth:+.1%} |\n")
    return "".join(lines)


def _flood_table(flood: Flood) -> str:
    lines = [
        f"{flood.published:,} events published while {flood.settled:,} were settled\n",
        "| interactive caller | calls | p50 | p95 | p99 |\n",
        "| --- | ---: | ---: | ---: | ---: |\n",
    ]
    for name, waits in (("idle", flood.idle), ("flooded", flood.flooded)):
        cells = " | ".join(f"{waits.percentile(share):.0f} ms" for share in (50, 95, 99))
        lines.append(f"| {name} | {len(waits.ms):,} | {cells} |\n")
    lines.append(f"\nInteractive p95 is {flood.p95_ratio:.2f} times its idle value.\n")
    return "".join(lines)


def draw(report: Report, path: Path = PLOT) -> None:
    """A panel of memory for each load, and one of what the interactive caller waited."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = len(report.memory) + (report.flood is not None)
    figure, axes = plt.subplots(
        panels, figsize=(9, 3.2 * panels), layout="constrained", squeeze=False
    )
    for axis, curve in zip(axes[:, 0], report.memory, strict=False):
        growths = curve.growth()
        for name, mib in curve.mib.items():
            axis.plot(curve.seconds, mib, linewidth=1, label=f"{name}: {growths[name]:+.1%}")
        axis.axvspan(0, curve.seconds[-1] * WARM_UP, color="0.93", label="warm-up")
        axis.set(
            title=f"{curve.title}: {curve.settled[-1]:,} events settled",
            xlabel="s",
            ylabel="MiB of no file",
            ylim=(0, None),
        )
        axis.legend(fontsize="small", ncols=2)
    if report.flood is not None:
        flood, axis = report.flood, axes[-1, 0]
        began_at = flood.idle.at_s[0]
        for name, waits, colour in (
            ("idle", flood.idle, "tab:green"),
            ("flooded", flood.flooded, "tab:blue"),
        ):
            p95 = waits.percentile(95)
            seconds = [at - began_at for at in waits.at_s]
            axis.plot(seconds, waits.ms, ".", markersize=2, color=colour)
            label = f"{name}: p95 {p95:.0f} ms"
            axis.hlines(p95, seconds[0], seconds[-1], color=colour, label=label)
        bound = flood.idle.percentile(95) * LONGEST_WAIT_RATIO
        axis.axhline(bound, color="tab:red", linestyle="--", label=f"{LONGEST_WAIT_RATIO} × idle")
        axis.set(
            title=f"interactive caller, {flood.published:,} events published against it",
            xlabel="s",
            ylabel="ms",
            ylim=(0, max(bound * 1.3, flood.flooded.percentile(99.5))),
        )
        axis.legend(fontsize="small")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
