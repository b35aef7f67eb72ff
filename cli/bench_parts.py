"""What `facestream bench` was asked to measure, one part after the other."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.cells import SIDES, Order
from benchmarks.document import Document, PhotographsUsed, setup_of
from benchmarks.footprint import FootprintOrder, measure_footprint
from benchmarks.ground import Given
from benchmarks.lanes import LanesOrder, measure_lanes
from benchmarks.machine import this_machine
from benchmarks.photographs import SET_NAMES, PhotographSet, named
from benchmarks.processes import Processes
from benchmarks.scale import ScaleOrder, measure_scale
from benchmarks.stages import ProfileOrder, measure_profile
from benchmarks.suite import compare
from cli.edge_process import EdgeFailed, EdgeProcess
from cli.photographs import NoPhotographs, find
from schemas.topics import OPERATIONS, Operation
from stream.settings import WorkerSettings

_CALLERS = (1, 4, 16)
_PROCESSES = (1, 2, 4, 8, 16)
_SECONDS = 3.0
#: where --images does not say otherwise
_MEMORY_IMAGES = 2000
_CALLS = 150
_SCALE_EVENTS = 10_000
_SCALE_SECONDS = 10.0


async def measure(
    options: Mapping[str, Any], environ: Mapping[str, str], on_step: Callable[[str], None]
) -> Document:
    """options: of the command line. Raises `UsageError` before anything is started, and what the
    parts raise.
    """
    Processes([])  # psutil is missed before anything is started
    sets = _sets(options)
    workers = options["workers"]
    given = Given(
        environ=environ,
        changes={} if workers is None else {"MAX_WORKERS": str(workers)},
        broker=options["broker"],
        start_edge=running_edge,
        on_step=on_step,
    )
    order = _order(options, sets)
    # all of them are made before the first is measured: one may be asked for wrongly
    lanes = _lanes_order(options, sets) if options["lanes"] else None
    footprint = _footprint_order(options, sets) if options["memory"] else None
    scale = _scale_order(options) if options["scale"] else None
    parts: dict[str, Any] = {}
    if options["profile"]:
        parts["profile"] = tuple(await measure_profile(_profile_order(order), given))
    if lanes is not None:
        parts["lanes"] = await measure_lanes(lanes, given)
    if footprint is not None:
        parts["footprint"] = await measure_footprint(footprint, given)
    if scale is not None:
        parts["scale"] = await measure_scale(scale, given)
    if not parts:
        parts["comparison"] = await compare(order, given)
    settings = WorkerSettings.model_validate({} if workers is None else {"max_workers": workers})
    used = [PhotographsUsed(one.name, len(one.paths)) for one in sets]
    return Document(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine(),
        setup=setup_of(
            settings,
            sets=used,
            rounds=options["rounds"],
            max_faces=options["max_faces"],
            broker=options["broker"],
            frugal=options["frugal"],
        ),
        **parts,
    )


def _order(options: Mapping[str, Any], sets: Sequence[PhotographSet]) -> Order:
    return Order(
        operations=options["operations"] or OPERATIONS,
        sets=sets,
        sides=options["sides"] or SIDES,
        callers=options["callers"] or _CALLERS,
        images=options["images"],
        seconds=options["seconds"] or _SECONDS,
        rounds=options["rounds"],
        max_faces=options["max_faces"],
        broker=options["broker"],
        frugal=options["frugal"],
    )


def _profile_order(order: Order) -> ProfileOrder:
    return ProfileOrder(
        operations=order.operations,
        sets=order.sets,
        callers=order.callers,
        images=order.images,
        seconds=order.seconds,
        max_faces=order.max_faces,
    )


def _lanes_order(options: Mapping[str, Any], sets: Sequence[PhotographSet]) -> LanesOrder:
    calls = options["images"] or _CALLS
    return LanesOrder(_operation(options, "embed"), sets[0], calls, options["rounds"])


def _footprint_order(options: Mapping[str, Any], sets: Sequence[PhotographSet]) -> FootprintOrder:
    operation = _operation(options, "analyze")  # which needs every model
    return FootprintOrder(sets[0], options["images"] or _MEMORY_IMAGES, operation)


def _scale_order(options: Mapping[str, Any]) -> ScaleOrder:
    return ScaleOrder(
        processes=options["processes"] or _PROCESSES,
        sleep_ms=options["scale_sleep_ms"],
        seconds=options["seconds"] or _SCALE_SECONDS,
        events=options["images"] or _SCALE_EVENTS,
        operation=_operation(options, "embed"),
    )


def _operation(options: Mapping[str, Any], otherwise: Operation) -> Operation:
    """The one of a part that has one only."""
    asked: tuple[Operation, ...] = options["operations"]
    if len(asked) > 1:
        raise click.UsageError("of --operation, one at a time with --lanes, --memory and --scale")
    return asked[0] if asked else otherwise


def _sets(options: Mapping[str, Any]) -> tuple[PhotographSet, ...]:
    folders: tuple[Path, ...] = options["folders"]
    if not folders:
        return named(options["sets"] or SET_NAMES)
    if options["sets"]:
        raise click.UsageError("--set names what lies beside the checkout: not with a FOLDER")
    try:
        found = tuple(one.path for one in find(map(str, folders)) if one.path is not None)
    except NoPhotographs as error:
        raise click.UsageError(str(error)) from None
    name = ", ".join(folder.name for folder in folders)
    return (PhotographSet(name, folders, found),)


@asynccontextmanager
async def running_edge(environ: Mapping[str, str]) -> AsyncIterator[EdgeProcess]:
    """An edge that is ready. Raises `EdgeFailed`, with what it wrote."""
    with tempfile.TemporaryFile() as log:
        async with EdgeProcess(environ, longest_answer_s=1, log=log) as edge:
            try:
                await edge.ready()
            except EdgeFailed:
                log.seek(0)
                raise EdgeFailed(f"the HTTP edge does not start: {log.read().decode()}") from None
            yield edge
