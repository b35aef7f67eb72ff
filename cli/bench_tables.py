"""A benchmark's document as tables: plain strings, that a terminal or a README shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.document import Document
from benchmarks.footprint import FootprintReport
from benchmarks.lanes import LanesReport
from benchmarks.ratios import OperationRatios
from benchmarks.report import CellReport, ComparisonReport
from benchmarks.scale import EventCost, ScaleReport
from benchmarks.spread import Spread
from benchmarks.stages import ProfileReport

_ALSO = ("onnxruntime", "opencv-python-headless", "faust-streaming", "confluent-kafka")
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Shown:
    """A table: its title, its columns, and its rows. All columns but the first hold numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def facts(document: Document) -> dict[str, str]:
    """What was run, and where."""
    machine, setup = document.machine, document.setup
    libraries = [f"{name} {machine.versions[name]}" for name in _ALSO if name in machine.versions]
    detection = f"detection {setup.det_size} ({setup.det_size_mode})"
    sets = [f"{one.name} ({one.files} files)" for one in setup.sets]
    return {
        "machine": f"{machine.cpu or 'unknown'}, {machine.cores} cores, {machine.system}",
        "software": ", ".join([f"Python {machine.python}", *libraries]),
        "models": f"{setup.pack}, {setup.engine}, {detection}, max_faces {setup.max_faces}",
        "photographs": ", ".join(sets),
        "processes": f"{setup.workers} a side, {setup.threads_per_session} thread(s) a session",
        "broker": setup.broker,
    }


def tables(document: Document) -> Iterator[Shown]:
    """Of every part that was measured; nothing is told that was not."""
    return (shown for shown in _all_tables(document) if shown.rows)


def _all_tables(document: Document) -> Iterator[Shown]:
    if document.comparison is not None:
        yield from _comparison(document.comparison, document.setup.rounds)
    for profile in document.profile or ():
        yield from _profile(profile)
    if document.lanes is not None:
        yield _lanes(document.lanes)
    if document.footprint is not None:
        yield _footprint(document.footprint)
    if document.scale is not None:
        yield from _scale(document.scale)


def _comparison(report: ComparisonReport, rounds: int) -> Iterator[Shown]:
    callers = sorted({cell.callers for cell in report.cells if cell.callers is not None})
    pairs = dict.fromkeys((cell.photographs, cell.operation) for cell in report.cells)
    for photographs, operation in pairs:
        cells = [
            cell
            for cell in report.cells
            if (cell.photographs, cell.operation) == (photographs, operation)
        ]
        sides = dict.fromkeys(cell.side for cell in cells)
        yield Shown(
            f"{operation}, {photographs} photographs",
            (
                "",
                *(f"images/s, {number}" for number in callers),
                "all",
                *(f"p50/p95 ms, {number}" for number in callers),
                "CPU ms",
                "PSS MB",
            ),
            [_row(side, [cell for cell in cells if cell.side == side], callers) for side in sides],
        )
    ratios = [_ratio_row(one) for one in report.ratios]
    yield Shown(
        "ratios",
        ("", "stream ÷ loop", "÷ afternoon", "edge ÷ stream", "edge p50", "direct", "ratio"),
        [row for row in ratios if set(row[1:]) != {_NONE}],
        f"Of images a second: of {rounds} round(s) the middle one, by turns; stream ÷ loop with "
        "all at once, while every process has more to do; ÷ afternoon at whatever number of "
        "callers that did best; edge ÷ stream with the most callers (with all at once in the "
        "stream); p50 in ms, one caller, beside one process of the loop.",
    )
    cores = max(cell.others_cores.max for cell in report.cells)
    idle = max(cell.idle_cores for cell in report.cells)
    yield Shown(
        "what disturbed it",
        ("", "cores at most"),
        [
            ("others of the machine", f"{cores:.2f}"),
            ("processes of ours that were to be idle", f"{idle:.2f}"),
        ],
    )


def _row(side: str, cells: Sequence[CellReport], callers: Sequence[int]) -> list[str]:
    by_callers = {cell.callers: cell for cell in cells}
    whole = by_callers.get(None)
    busiest = whole or by_callers[max(number for number in by_callers if number is not None)]
    found = [by_callers.get(number) for number in callers]
    return [
        side,
        *(_NONE if cell is None else f"{cell.images_per_s.median:.1f}" for cell in found),
        _NONE if whole is None else f"{whole.images_per_s.median:.1f}",
        *(_waits(cell) for cell in found),
        f"{busiest.cpu_s_per_image.median * 1000:.1f}",
        f"{max(cell.pss_bytes for cell in cells) / 1e6:.0f}",
    ]


def _waits(cell: CellReport | None) -> str:
    if cell is None or cell.p50_ms is None:
        return _NONE
    return f"{cell.p50_ms:.1f}/{cell.p95_ms:.1f}"


def _ratio_row(one: OperationRatios) -> list[str]:
    edge = spread_said(one.edge_to_stream)
    if one.edge_to_whole_stream is not None:
        edge += f" ({one.edge_to_whole_stream.median:.3f})"
    return [
        f"{one.operation}, {one.photographs}",
        spread_said(one.stream_to_loop),
        spread_said(one.stream_to_afternoon),
        edge,
        number_said(one.edge_p50_ms, "{:.1f}"),
        number_said(one.direct_p50_ms, "{:.1f}"),
        number_said(one.edge_to_direct_p50, "{:.2f}"),
    ]


def spread_said(value: Spread | None) -> str:
    """The middle, and the ends where there are several."""
    if value is None:
        return _NONE
    if len(value.rounds) == 1:
        return f"{value.median:.3f}"
    return f"{value.median:.3f} [{value.min:.3f}–{value.max:.3f}]"


def number_said(value: float | None, form: str) -> str:
    return _NONE if value is None else form.format(value)


def _profile(report: ProfileReport) -> Iterator[Shown]:
    what = f"{report.operation}, {report.photographs} photographs, {report.callers} in flight"
    whole_ms = report.stages["whole"].mean_ms
    yield Shown(
        f"where the time of an image goes: {what}",
        ("stage", "mean ms", "p50", "p95", "share"),
        [
            (
                stage,
                *(f"{value:.2f}" for value in (one.mean_ms, one.p50_ms, one.p95_ms)),
                f"{one.mean_ms / whole_ms:.0%}",
            )
            for stage, one in report.stages.items()
        ],
    )
    yield Shown(
        f"CPU of the workers: {what}",
        ("thread", "ms an image"),
        [
            *((name, f"{ms:.2f}") for name, ms in report.thread_cpu_ms.items()),
            ("all", f"{sum(report.thread_cpu_ms.values()):.2f}"),
        ],
    )


def _lanes(report: LanesReport) -> Shown:
    return Shown(
        f"one caller beside a saturated bulk lane: {report.operation}, {report.photographs}",
        ("bulk lane", "calls", "p50 ms", "p95 ms"),
        [
            ("idle", f"{report.calls}", f"{report.idle_p50_ms:.1f}", f"{report.idle_p95_ms:.1f}"),
            (
                f"saturated, {report.in_flight} in flight",
                f"{report.calls}",
                f"{report.flooded_p50_ms:.1f}",
                f"{report.flooded_p95_ms:.1f}",
            ),
        ],
        f"p95 is {report.p95_ratio:.2f} times its idle value; {report.bulk_images} images of the "
        "bulk lane were settled meanwhile.",
    )


def _footprint(report: FootprintReport) -> Shown:
    parts = [part for part in report.last_pss if report.last_pss[part]]
    rows = [
        (part, f"{report.first_pss[part] / 1e6:.0f}", f"{report.last_pss[part] / 1e6:.0f}")
        for part in parts
    ]
    return Shown(
        f"memory of `facestream up`, {report.workers} workers",
        ("PSS, MB", "after the first answer", f"after {report.images}"),
        rows,
        f"workers and edge together: {report.workers_and_edge / 1e6:.0f} MB after "
        f"{report.images} images ({report.operation}, {report.photographs}); from start to first "
        f"answer: {report.first_answer_s:.1f} s",
    )


def _scale(report: ScaleReport) -> Iterator[Shown]:
    yield Shown(
        f"growth: models that sleep {report.sleep_ms:g} ms, {report.operation}, {report.broker}",
        ("processes", "partitions", "events", "start s", "events/s", "of the most", "CPU ms"),
        [
            (
                f"{one.processes}",
                f"{one.partitions}",
                f"{one.events}",
                f"{one.start_s:.1f}",
                f"{one.events_per_s:.2f}",
                f"{one.ratio:.3f}",
                f"{one.cpu_ms:.2f}",
            )
            for one in report.growth
        ],
        "of the most: what so many processes do that only sleep; CPU: of the workers, an event",
    )
    yield Shown(
        f"CPU of an event: {report.stream.processes} workers that do not sleep, {report.operation}",
        ("", "events/s", "worker ms", "edge ms", "together", "around inference"),
        [
            _cost_row("bare loop", report.loop, None),
            _cost_row("stream", report.stream, report.around_ms(report.stream)),
            _cost_row("edge", report.edge, report.around_ms(report.edge)),
        ],
        "around inference: less what the bare loop takes, to decode the image and to make a face",
    )


def _cost_row(name: str, cost: EventCost, around_ms: float | None) -> tuple[str, ...]:
    return (
        name,
        f"{cost.events_per_s:.0f}",
        f"{cost.worker_cpu_ms:.2f}",
        number_said(cost.edge_cpu_ms, "{:.2f}"),
        f"{cost.cpu_ms:.2f}",
        number_said(around_ms, "{:.2f}"),
    )
