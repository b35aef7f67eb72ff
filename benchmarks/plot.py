"""Throughput against callers, drawn: a panel for each operation and set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cells import SideName
from benchmarks.report import CellReport, ComparisonReport

if TYPE_CHECKING:
    from benchmarks.machine import Machine

_LABELS: dict[SideName, str] = {
    "stream": "stream",
    "edge": "HTTP edge",
    "afternoon": "FaceAnalysis.get in a pool behind aiohttp",
    "loop": "bare loop: the machine's limit",
}
#: told apart by those who see few colours, too (Okabe and Ito)
_COLOURS: dict[SideName, str] = {
    "stream": "#0072B2",
    "edge": "#009E73",
    "afternoon": "#D55E00",
    "loop": "#555555",
}
_MARKERS: dict[SideName, str] = {"stream": "o", "edge": "s", "afternoon": "D"}
_PANEL_IN = (3.7, 2.9)
#: of a panel's
_LABEL_HEIGHT = 0.065


class MatplotlibMissing(RuntimeError):
    """matplotlib is not installed."""


def check() -> None:
    """Raises `MatplotlibMissing`, before anything is measured that could not be drawn."""
    try:
        import matplotlib  # noqa: F401, ICN001
    except ModuleNotFoundError:
        raise MatplotlibMissing(
            "bench draws with matplotlib: pip install 'facestream[bench]'"
        ) from None


def draw(comparison: ComparisonReport, machine: Machine, path: Path) -> None:
    """Write it as PNG, or as what the path's suffix says."""
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(cell.photographs for cell in comparison.cells))
    operations = list(dict.fromkeys(cell.operation for cell in comparison.cells))
    width, height = _PANEL_IN
    size = (max(6.0, width * len(operations)), height * len(sets) + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(sets), len(operations), squeeze=False)
    for row, photographs in enumerate(sets):
        for column, operation in enumerate(operations):
            axis = axes[row][column]
            of_both = (photographs, operation)
            cells = [
                cell for cell in comparison.cells if (cell.photographs, cell.operation) == of_both
            ]
            _panel(axis, cells)
            axis.set_title(f"{operation}, {photographs} photographs", fontsize=11)
            if column == 0:
                axis.set_ylabel("images a second")
            if row == len(sets) - 1:
                axis.set_xlabel("callers")
    handles = {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False
    )
    figure.suptitle(
        f"Throughput against callers\n{machine.cpu or 'unknown'}, {machine.cores} cores",
        fontsize=12,
    )
    figure.savefig(path, dpi=150)


def _panel(axis: Any, cells: list[CellReport]) -> None:
    callers = sorted({cell.callers for cell in cells if cell.callers and cell.side != "loop"})
    places = {number: place for place, number in enumerate(callers)}
    ends: dict[SideName, float] = {}
    for side, marker in _MARKERS.items():
        points = sorted(
            (places[cell.callers], cell.images_per_s.median)
            for cell in cells
            if cell.side == side and cell.callers
        )
        if points:
            drawn = {"color": _COLOURS[side], "marker": marker, "label": _LABELS[side]}
            axis.plot(*zip(*points, strict=True), linewidth=1.8, **drawn)
            ends[side] = points[-1][1]
    loop = next((cell for cell in cells if cell.side == "loop" and cell.callers is None), None)
    if loop is not None:
        rate, colour = loop.images_per_s.median, _COLOURS["loop"]
        axis.axhline(rate, color=colour, linestyle="--", linewidth=1.2, label=_LABELS["loop"])
        axis.text(-0.25, rate, _said(rate), color=colour, va="bottom", fontsize=9)
    axis.set_ylim(0, axis.get_ylim()[1] * 1.12)
    heights = apart(list(ends.values()), least=axis.get_ylim()[1] * _LABEL_HEIGHT)
    for (side, rate), height in zip(ends.items(), heights, strict=True):
        place = len(callers) - 1 + 0.08
        axis.text(place, height, _said(rate), color=_COLOURS[side], va="center", fontsize=9)
    axis.set_xticks(list(places.values()), [str(number) for number in callers])
    axis.set_xlim(-0.3, max(len(callers) - 1, 0) + 0.45)
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def apart(heights: list[float], least: float) -> list[float]:
    """Where labels of these heights stand, none nearer to the next than `least`; only downwards."""
    placed: dict[int, float] = {}
    highest = max(heights, default=0.0)
    for number in sorted(range(len(heights)), key=heights.__getitem__, reverse=True):
        placed[number] = min(heights[number], highest)
        highest = placed[number] - least
    return [placed[number] for number in range(len(heights))]


def _said(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
