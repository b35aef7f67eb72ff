"""The figures of `top` as a screen: at 80 columns all of it, on a wider one more of each name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.dead_letter_views import printable
from cli.observing import SILENT_S
from cli.top_figures import Figures, WorkerFigures
from cli.top_results import STAGES, STATUSES
from schemas.topics import OPERATIONS
from stream.event import LaneName

UNKNOWN = "–"
#: lines beside the workers' own: title, sums, headings, lanes, stages, gaps, the last line
_OTHER_LINES = 19
_LEAST_WORKERS = 2
_MOST_REASONS = len(STAGES) - 1
#: of the tables that stand beside each other, and of the gap between them
_LEFT, _GAP, _RIGHT = 36, 4, 40
#: of a worker's line: the name's at 80 columns and at most, and what stands right of the partitions
_NAME, _LONGEST_NAME = 15, 40
_NUMBERS = (("flight", 7), ("settled", 10), ("/s", 7), ("heard", 7))

_HEADING = "bold cyan"
_STATES = {
    "running": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
    "failed": "bold red",
}
_STATUSES = {"ok": "", "no_face": "yellow", "failed": "red"}
_LANES: tuple[LaneName, ...] = ("interactive", "bulk")


def screen(figures: Figures, width: int, height: int, hint: str | None = None) -> Group:
    """width, height: of the terminal; workers beyond it are only counted. hint: the last line."""
    gap = Text()
    workers = _workers(figures.workers, width, max(_LEAST_WORKERS, height - _OTHER_LINES))
    parts: list[RenderableType] = [_title(figures), _sums(figures), gap, *workers, gap]
    tables = (_lanes(figures), _operations(figures), _stages(figures), _rejected(figures))
    if width >= _LEFT + _GAP + _RIGHT:
        beside = Table.grid(padding=(0, _GAP, 0, 0))
        beside.add_row(*tables[:2])
        beside.add_row(gap, gap)
        beside.add_row(*tables[2:])
        parts.append(beside)
    else:
        for table in tables:
            parts += [table, gap]
    last = figures.trouble or hint
    if last is not None:
        style = "dim" if figures.trouble is None else "bold red"
        parts += [gap, Text(printable(last), style)]
    return Group(*parts)


def _title(figures: Figures) -> Table:
    line = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(no_wrap=True, justify="right")
    where = f"{figures.broker}  {figures.topic_prefix}*  group {figures.consumer_group}"
    at = datetime.fromisoformat(figures.at).astimezone()
    line.add_row(
        Text.assemble(("facestream top  ", "bold"), (where, "dim")), Text(f"{at:%H:%M:%S}", "dim")
    )
    return line


def _sums(figures: Figures) -> Text:
    lags = [lane.lag for lane in figures.lanes.values() if lane.lag is not None]
    workers = None if figures.workers is None else len(figures.workers)
    line = Text(no_wrap=True, overflow="ellipsis")
    for number, what in (
        (_rate(figures.images_per_second), " images/s · "),
        (_count(figures.in_flight), " in flight · "),
        (_count(workers), " worker · " if workers == 1 else " workers · "),
        (_count(sum(lags) if lags else None), " behind"),
    ):
        line.append(number, "bold")
        line.append(what)
    drained_in_s = figures.lanes["bulk"].drained_in_s
    if drained_in_s is not None:
        line.append(f", drained in {_long(drained_in_s)}", "dim")
    return line


def _workers(known: Sequence[WorkerFigures] | None, width: int, most: int) -> list[RenderableType]:
    workers = known or ()
    name_width = min(_LONGEST_NAME, _NAME + max(0, width - 80) // 3)
    table = Table(
        box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style=_HEADING, expand=True
    )
    table.add_column("worker", no_wrap=True, width=name_width)
    table.add_column("state", no_wrap=True, width=8)
    for lane in _LANES:
        table.add_column(lane, no_wrap=True, overflow="ellipsis", ratio=1)
    for heading, columns in _NUMBERS:
        table.add_column(heading, justify="right", no_wrap=True, width=columns - 1)
    shown = workers if len(workers) <= most else workers[: most - 1]
    for worker in shown:
        silent = worker.heard_s >= SILENT_S
        table.add_row(
            Text(_end_of(printable(worker.id), name_width)),
            Text(worker.state, _STATES.get(worker.state, "")),
            *(Text(ranges(worker.partitions[lane])) for lane in _LANES),
            _count(worker.in_flight),
            _count(worker.settled),
            _rate(worker.settled_per_second),
            Text(_age(worker.heard_s), "bold red" if silent else ""),
            style="dim" if silent else "",
        )
    parts: list[RenderableType] = [table]
    if known is not None and not known:
        parts.append(Text("no worker is heard", "yellow"))
    if len(shown) < len(workers):
        parts.append(Text(f"… and {len(workers) - len(shown)} more", "dim"))
    return parts


def _lanes(figures: Figures) -> Table:
    table = _table("lane", 11, ("lag", 9), ("in/s", 8), ("done/s", 8))
    for lane in _LANES:
        known = figures.lanes[lane]
        table.add_row(
            lane, _count(known.lag), _rate(known.in_per_second), _rate(known.done_per_second)
        )
    return table


def _operations(figures: Figures) -> Table:
    table = _table("results", 8, ("/s", 8), ("ok", 8), ("no face", 8), ("failed", 8))
    for operation in OPERATIONS:
        known = figures.operations.get(operation)
        if known is None:
            table.add_row(operation, *[UNKNOWN] * 4)
            continue
        counts = (known.by_status[status] for status in STATUSES)
        table.add_row(
            operation,
            _rate(known.per_second),
            *(
                Text(_count(count), style if count else "dim")
                for count, style in zip(counts, _STATUSES.values(), strict=True)
            ),
        )
    return table


def _stages(figures: Figures) -> Table:
    table = _table("stage, ms", 11, ("p50", 9), ("p95", 8), ("events", 8))
    for stage in STAGES:
        known = figures.stages.get(stage)
        if known is None:
            table.add_row(stage, *[UNKNOWN] * 3)
        else:
            table.add_row(stage, _ms(known.p50_ms), _ms(known.p95_ms), _count(known.events))
    return table


def _rejected(figures: Figures) -> Table:
    table = _table("rejected", 32, ("new", 8))
    by_reason = list(figures.rejected.by_reason.items())
    most = _MOST_REASONS if len(by_reason) <= _MOST_REASONS else _MOST_REASONS - 1
    for reason, count in by_reason[:most]:
        table.add_row(Text(reason, "red"), _count(count))
    if by_reason[most:]:
        table.add_row("others", _count(sum(count for _, count in by_reason[most:])))
    table.add_row(Text(f"{_count(figures.rejected.on_topic)} on the topic", "dim"))
    return table


def _table(heading: str, width: int, *numbers: tuple[str, int]) -> Table:
    """A column of names and columns of numbers, each as wide as said."""
    table = Table(box=None, pad_edge=False, padding=0, header_style=_HEADING)
    table.add_column(heading, no_wrap=True, overflow="ellipsis", width=width)
    for title, columns in numbers:
        table.add_column(title, justify="right", no_wrap=True, width=columns)
    return table


def _end_of(name: str, width: int) -> str:
    """Where it is too long its end is kept, for there workers differ."""
    return name if len(name) <= width else f"…{name[1 - width :]}"


def ranges(numbers: Sequence[int]) -> str:
    """`0-3,8`: ascending numbers; those that follow each other as one range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    joined = (str(a) if a == b else f"{a}-{b}" if b > a + 1 else f"{a},{b}" for a, b in runs)
    return ",".join(joined) or UNKNOWN


def _count(number: int | None) -> str:
    if number is None:
        return UNKNOWN
    if number < 1_000_000:
        return f"{number:,}"
    millions = number / 1_000_000
    return f"{millions:.2f}M" if millions < 100 else f"{millions:,.0f}M"


def _rate(per_second: float | None) -> str:
    if per_second is None:
        return UNKNOWN
    return f"{per_second:,.1f}" if abs(per_second) < 1000 else f"{per_second:,.0f}"


def _ms(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.1f}"
    return f"{milliseconds:,.0f}" if milliseconds < 100_000 else _age(milliseconds / 1000)


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def _long(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes."""
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
