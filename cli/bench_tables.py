"""A benchmark's report as tables: the machine first, then the two sides and their ratio."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.report import OperationReport, Report, SideReport, Spread

_ALSO = ("onnxruntime", "opencv-python-headless", "faust-streaming", "confluent-kafka")
_STAGES = ("fetch", "decode", "detect", "embed", "analyze")


def show(console: Console, report: Report) -> None:
    """Print it; nothing is printed that was not measured."""
    console.print(_facts(_of_report(report)))
    console.print(_table(report))
    for operation in report.operations:
        console.print(_facts(_of_operation(operation)))


def _facts(facts: dict[str, str]) -> Table:
    """A name and a value a line."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(name, value)
    return grid


def _of_report(report: Report) -> dict[str, str]:
    machine, setup = report.machine, report.setup
    libraries = [f"{name} {machine.versions[name]}" for name in _ALSO if name in machine.versions]
    packs = {one.model["pack"] for one in report.operations if one.model is not None}
    models = [*sorted(packs), setup.engine, f"detection {setup.det_size} ({setup.det_size_mode})"]
    return {
        "machine": f"{machine.cpu or 'unknown'}, {machine.cores} cores, {machine.system}",
        "software": ", ".join([f"Python {machine.python}", *libraries]),
        "models": ", ".join([*models, f"max_faces {setup.max_faces}"]),
        "images": f"{setup.images} of {setup.photographs} ({setup.files} files)",
        "processes": f"{setup.workers} a side, {setup.threads_per_session} thread(s) a session",
        "broker": f"{setup.broker}, {setup.partitions} partitions",
        "rounds": f"{setup.rounds} of each side, by turns; ratio: images/s, stream ÷ loop",
    }


def _table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True)
    for title in ("images/s", "CPU ms", "RSS MB", "faces", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for one in report.operations:
        table.add_row(one.operation, "stream", *_cells(one.stream), _ratio(one.ratio))
        table.add_row("", "loop", *_cells(one.loop), "")
    return table


def _cells(side: SideReport) -> tuple[str, ...]:
    return (
        f"{side.images_per_s.median:.1f}",
        f"{side.cpu_s_per_image.median * 1000:.1f}",
        f"{side.peak_rss_bytes / 1e6:.0f}",
        str(side.faces),
        str(side.failed),
    )


def _ratio(ratio: Spread) -> str:
    if len(ratio.rounds) == 1:
        return f"{ratio.median:.3f}"
    return f"{ratio.median:.3f} ({ratio.min:.3f}–{ratio.max:.3f})"


def _of_operation(one: OperationReport) -> dict[str, str]:
    beside = [f"client {one.client_cpu_s_per_image * 1000:.2f}"]
    if one.broker_cpu_s_per_image is not None:
        beside.append(f"broker {one.broker_cpu_s_per_image * 1000:.2f}")
    stages = [
        f"{stage} {one.stream.stage_ms[stage]:.1f} ({one.loop.stage_ms[stage]:.1f})"
        for stage in _STAGES
        if stage in one.stream.stage_ms and stage in one.loop.stage_ms
    ]
    return {
        one.operation: f"CPU ms an image beside the workers: {', '.join(beside)}",
        "": f"ms an image by stage, with its waiting, stream (loop): {', '.join(stages)}",
        " ": f"CPU of what was to be idle: {one.idle_cpu_s:.2f} s a round at most",
        "  ": f"cores others kept busy, stream (loop): {_others(one.stream)} ({_others(one.loop)})",
    }


def _others(side: SideReport) -> str:
    return f"{side.others_cores.min:.1f} to {side.others_cores.max:.1f}"
