"""Sides through the same photographs, by turns, so that a machine's noise meets them alike."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Any, Protocol

from benchmarks.batches import Batch, BenchmarkFailed, Run, joined
from benchmarks.cells import Cell, Order, SideName, enough
from benchmarks.costs import Costs, Meter
from benchmarks.pauses import Pauses

#: images of the first warm-up, for each process
_WARM_UP_IMAGES = 8
#: of a cell's time, at least, that the last warm-up lasts: before that a side is slower
_WARM_UP_SHARE = 0.25
#: share of a cell's time that a side is measured by which is asked by callers
_CALLERS_SHARE = 0.5
#: of a side that has turns with another one: a machine's speed drifts by a few per cent in ten
#: seconds, and who is paused for much longer is no more taken for alive
_TURN_S = 1.5
_NEED_BROKER: frozenset[SideName] = frozenset({"stream", "edge"})


class Home(Protocol):
    """The processes that a side runs in."""

    def awake(self) -> AbstractAsyncContextManager[Any]:
        """They can run while the block lasts, and use no processor outside of it."""


class Side(Protocol):
    """Something that computes batches in processes of its own."""

    @property
    def name(self) -> str: ...

    @property
    def home(self) -> Home | None:
        """None where the processes have nothing to do, and do nothing, between batches."""

    @property
    def pids(self) -> list[int]: ...

    async def run(self, batch: Batch, callers: int | None) -> Run: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A side's run of a cell, and what it cost meanwhile."""

    batch: Batch
    run: Run
    costs: Costs
    #: of the side's processes together, when the run was over
    pss_bytes: int


#: what a round measured, by cell
Round = Mapping[Cell, Measured]


class Comparison:
    """`await Comparison(order, sides, broker_pid, pauses).rounds(on_step)`."""

    def __init__(
        self,
        order: Order,
        sides: Mapping[SideName, Side],
        broker_pid: int | None,
        pauses: Pauses,
    ) -> None:
        """pauses: of the side that others are measured amid."""
        self._order = order
        self._sides = sides
        self._broker_pid = broker_pid
        self._pauses = pauses
        self._sets = {photographs.name: photographs for photographs in order.sets}
        #: how many images each of the cells has, the same in each round
        self._images: dict[tuple[Cell, ...], int] = {}

    async def rounds(self, on_step: Callable[[str], None]) -> list[Round]:
        """Each cell with a warm-up of its own.

        Raises `BenchmarkFailed`, also when a process died meanwhile.
        """
        return [await self._round(number, on_step) for number in range(1, self._order.rounds + 1)]

    async def _round(self, number: int, on_step: Callable[[str], None]) -> Round:
        measured: dict[Cell, Measured] = {}
        for home, of_home in groupby(self._order.groups(), self._home_of):
            async with nullcontext() if home is None else home.awake():
                for cells in of_home:
                    on_step(f"round {number} of {self._order.rounds}: {said(cells)}")
                    measured |= await self._measure(cells)
        return measured

    def _home_of(self, cells: Sequence[Cell]) -> Home | None:
        homes = (self._sides[cell.side].home for cell in cells)
        return next((home for home in homes if home is not None), None)

    async def _measure(self, cells: tuple[Cell, ...]) -> dict[Cell, Measured]:
        """With as many images each: those that the first of them has time for."""
        first, *others = cells
        rates = [await self._warmed_up(cell) for cell in cells]
        images = self._order.images
        if images is None:
            files = len(self._sets[first.photographs].paths)
            images = self._images.setdefault(cells, enough(rates[0], self._seconds(first), files))
        whole = self._batch(first, images)
        if not others:
            return {first: await self._alone(first, whole)}
        parts = in_parts(whole, max(1, round(images / rates[0] / _TURN_S)))
        if first.callers is None:
            [around] = others
            return await self._amid(first, around, whole, parts)
        return await self._by_turns(cells, whole, parts)

    def _seconds(self, cell: Cell) -> float:
        return self._order.seconds * (1 if cell.callers is None else _CALLERS_SHARE)

    async def _warmed_up(self, cell: Cell) -> float:
        """Images a second, of a run that began warm where their number is to follow from it."""
        images = _WARM_UP_IMAGES if cell.callers == 1 else 2 * _WARM_UP_IMAGES
        run = await self._run(cell, self._batch(cell, images))
        warmed_s = 0.0  # the first run wakes the side: how long it took tells nothing
        while self._order.images is None and warmed_s < _WARM_UP_SHARE * self._seconds(cell):
            images *= 2
            run = await self._run(cell, self._batch(cell, images))
            warmed_s = run.elapsed_s
        return run.images_per_s

    def _batch(self, cell: Cell, images: int) -> Batch:
        paths = self._sets[cell.photographs].sample(images)
        return Batch(cell.operation, paths, self._order.max_faces)

    async def _run(self, cell: Cell, batch: Batch) -> Run:
        return await self._sides[cell.side].run(batch, cell.callers)

    async def _alone(self, cell: Cell, batch: Batch) -> Measured:
        meter = self._meter(cell)
        with meter.counting():
            run = await self._run(cell, batch)
        return self._measured_by(meter, cell, batch, run)

    async def _amid(
        self, cell: Cell, around: Cell, whole: Batch, parts: Sequence[Batch]
    ) -> dict[Cell, Measured]:
        """One side computes all of it, but for pauses, in which the other computes it by parts."""
        meter, around_meter = self._meter(cell), self._meter(around)
        runs: list[Run] = []
        around_run = asyncio.create_task(self._run(around, whole))
        try:
            for part in parts:
                with around_meter.counting():
                    await asyncio.wait([around_run], timeout=_TURN_S)
                with self._pauses.pause(self._sides[around.side].pids), meter.counting():
                    runs.append(await self._run(cell, part))
            with around_meter.counting():
                await around_run
        finally:
            around_run.cancel()
            await asyncio.gather(around_run, return_exceptions=True)
        return {
            cell: self._measured_by(meter, cell, whole, joined(runs)),
            around: self._measured_by(around_meter, around, whole, around_run.result()),
        }

    async def _by_turns(
        self, cells: Sequence[Cell], whole: Batch, parts: Sequence[Batch]
    ) -> dict[Cell, Measured]:
        """Each computes a part while the others' processes are paused, then the next one does."""
        meters = {cell: self._meter(cell) for cell in cells}
        runs: dict[Cell, list[Run]] = {cell: [] for cell in cells}
        for part, cell in product(parts, cells):
            others = [self._sides[other.side] for other in cells if other != cell]
            paused = [pid for side in others for pid in side.pids]
            with self._pauses.pause(paused), meters[cell].counting():
                runs[cell].append(await self._run(cell, part))
        return {
            cell: self._measured_by(meters[cell], cell, whole, joined(runs[cell])) for cell in cells
        }

    def _meter(self, cell: Cell) -> Meter:
        own = set(self._sides[cell.side].pids)
        idle = {pid for other in self._sides.values() for pid in other.pids} - own
        broker = self._broker_pid
        if broker is not None and cell.side not in _NEED_BROKER:
            idle, broker = idle | {broker}, None
        return Meter(own, idle, broker)

    def _measured_by(self, meter: Meter, cell: Cell, batch: Batch, run: Run) -> Measured:
        side = self._sides[cell.side]
        if set(side.pids) != meter.own:
            raise BenchmarkFailed(f"a process of the {side.name} died while it was measured")
        return Measured(batch, run, meter.costs, meter.pss_bytes())


def in_parts(whole: Batch, parts: int) -> list[Batch]:
    """So many batches, at most, that are the whole one after the other; as long as each other, but
    for the last."""
    images = math.ceil(len(whole.paths) / parts)
    starts = range(0, len(whole.paths), images)
    return [replace(whole, paths=whole.paths[at : at + images]) for at in starts]


def said(cells: Sequence[Cell]) -> str:
    """In words; cells of a group differ in their sides alone."""
    first = cells[0]
    how = "all at once" if first.callers is None else f"{first.callers} at once"
    sides = " and ".join(f"the {cell.side}" for cell in cells)
    return f"{first.operation}, {first.photographs}, {sides}, {how}"
