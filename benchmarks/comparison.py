"""Sides through the same photographs, by turns, so that a machine's noise meets them alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from benchmarks.batches import Batch, BenchmarkFailed, Run
from benchmarks.cells import Cell, Order, SideName, enough
from benchmarks.processes import Processes, machine_cpu_s

#: images of the first warm-up, for each process
_WARM_UP_IMAGES = 8
#: of a cell's time, at least, that the last warm-up lasts: before that a side is slower
_WARM_UP_SHARE = 0.25
#: share of a cell's time that a side is measured by which is asked by callers
_CALLERS_SHARE = 0.5


class Home(Protocol):
    """The processes that a side runs in."""

    def awake(self) -> AbstractAsyncContextManager[Any]:
        """They can run while the block lasts, and use no processor outside of it."""


class Side(Protocol):
    """Something that computes batches in processes of its own."""

    @property
    def name(self) -> str: ...

    @property
    def home(self) -> Home: ...

    @property
    def pids(self) -> list[int]: ...

    async def run(self, batch: Batch, callers: int | None) -> Run: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A side's run of a cell, and what it cost meanwhile."""

    batch: Batch
    run: Run
    #: seconds of the whole run, in which the following were spent
    lasted_s: float
    #: user and system time of the side's processes
    cpu_s: float
    #: of the other sides', and of the broker where the side has no need of it: to be idle
    idle_cpu_s: float
    #: of the embedded broker; None where the broker is not ours to look into
    broker_cpu_s: float | None
    #: of this process, which asks and reads
    client_cpu_s: float
    #: of everything else on the machine, a broker that is not ours included
    others_cpu_s: float
    #: of the side's processes together, when the run was over
    pss_bytes: int


#: what a round measured, by cell
Round = Mapping[Cell, Measured]


class Comparison:
    """`await Comparison(order, sides, broker_pid).rounds(on_step)`."""

    def __init__(
        self, order: Order, sides: Mapping[SideName, Side], broker_pid: int | None
    ) -> None:
        self._order = order
        self._sides = sides
        self._broker_pid = broker_pid
        self._sets = {photographs.name: photographs for photographs in order.sets}
        #: how many images a cell has, the same in each round
        self._images: dict[tuple[object, ...], int] = {}

    async def rounds(self, on_step: Callable[[str], None]) -> list[Round]:
        """Each cell with a warm-up of its own.

        Raises `BenchmarkFailed`, also when a process died meanwhile.
        """
        return [await self._round(number, on_step) for number in range(1, self._order.rounds + 1)]

    async def _round(self, number: int, on_step: Callable[[str], None]) -> Round:
        measured: dict[Cell, Measured] = {}
        cells = groupby(self._order.cells(), lambda cell: self._sides[cell.side].home)
        for home, of_home in cells:
            async with home.awake():
                for cell in of_home:
                    on_step(f"round {number} of {self._order.rounds}: {said(cell)}")
                    measured[cell] = await self._cell(cell)
        return measured

    async def _cell(self, cell: Cell) -> Measured:
        side, files = self._sides[cell.side], len(self._sets[cell.photographs].paths)
        seconds = self._order.seconds * (1 if cell.callers is None else _CALLERS_SHARE)
        warm_up = _WARM_UP_IMAGES if cell.callers == 1 else 2 * _WARM_UP_IMAGES
        run = await side.run(self._batch(cell, warm_up), cell.callers)
        images = self._order.images
        if images is None:
            warmed_s = 0.0  # the first run wakes the side: how long it took tells nothing
            while warmed_s < _WARM_UP_SHARE * seconds:
                warm_up *= 2
                run = await side.run(self._batch(cell, warm_up), cell.callers)
                warmed_s = run.elapsed_s
            images = self._images.setdefault(_alike(cell), enough(run.images_per_s, seconds, files))
        return await self._measure(side, self._batch(cell, images), cell.callers)

    def _batch(self, cell: Cell, images: int) -> Batch:
        paths = self._sets[cell.photographs].sample(images)
        return Batch(cell.operation, paths, self._order.max_faces)

    async def _measure(self, side: Side, batch: Batch, callers: int | None) -> Measured:
        pids = side.pids
        others = {pid for other in self._sides.values() for pid in other.pids} - set(pids)
        own, idle = Processes(pids), Processes(others)
        broker = Processes([] if self._broker_pid is None else [self._broker_pid])
        looked_at = [own, idle, broker]
        before = _cpu_s(looked_at)
        client_before_s, machine_before_s = _own_cpu_s(), machine_cpu_s()
        began_at = time.monotonic()
        run = await side.run(batch, callers)
        lasted_s = time.monotonic() - began_at
        client_s, machine_s = _own_cpu_s() - client_before_s, machine_cpu_s() - machine_before_s
        after = _cpu_s(looked_at)
        if side.pids != pids:
            raise BenchmarkFailed(f"a process of the {side.name} died while it was measured")
        spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
        needs_broker = side.name in {"stream", "edge"}
        return Measured(
            batch=batch,
            run=run,
            lasted_s=lasted_s,
            cpu_s=spent[0],
            idle_cpu_s=spent[1] + (0.0 if needs_broker else spent[2]),
            broker_cpu_s=spent[2] if needs_broker and self._broker_pid is not None else None,
            client_cpu_s=client_s,
            others_cpu_s=max(0.0, machine_s - sum(spent) - client_s),
            pss_bytes=own.pss_bytes(),
        )


def said(cell: Cell) -> str:
    """In words."""
    how = "all at once" if cell.callers is None else f"{cell.callers} at once"
    return f"{cell.operation}, {cell.photographs}, the {cell.side}, {how}"


def _alike(cell: Cell) -> tuple[object, ...]:
    """Of these, each pair has as many images: stream and loop with all at once share one key."""
    side = None if cell.callers is None else cell.side
    return cell.photographs, cell.operation, side, cell.callers


def _cpu_s(looked_at: Sequence[Processes]) -> list[float]:
    return [processes.cpu_s() for processes in looked_at]


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system
