"""Two sides through the same batch, by turns, so that a machine's noise meets both alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.batches import Batch, BenchmarkFailed, Run
from benchmarks.processes import PeakMemory, Processes, machine_cpu_s

#: images of the warm-up, for each process
_WARM_UP_IMAGES = 8


class Side(Protocol):
    """Something that computes batches in processes of its own."""

    @property
    def name(self) -> str: ...

    @property
    def pids(self) -> list[int]: ...

    def awake(self) -> AbstractAsyncContextManager[None]:
        """It can run while the block lasts, and uses no processor outside of it."""

    async def run(self, batch: Batch) -> Run: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A side's run, and what it cost meanwhile."""

    run: Run
    #: user and system time of the side's processes
    cpu_s: float
    #: of the other side's, which shall be idle
    other_side_cpu_s: float
    #: of the embedded broker; None where the broker is not ours to look into
    broker_cpu_s: float | None
    #: of this process, which publishes to the stream and reads its results
    client_cpu_s: float
    #: of everything else on the machine, a broker that is not ours included
    others_cpu_s: float
    #: resident in the side's processes together
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of each."""

    stream: Measured
    loop: Measured

    @property
    def idle_cpu_s(self) -> float:
        """What was used, at most, by all that a turn had no need of."""
        beside_loop = (self.loop.broker_cpu_s or 0.0) + self.loop.client_cpu_s
        return max(self.stream.other_side_cpu_s, self.loop.other_side_cpu_s + beside_loop)

    @property
    def ratio(self) -> float:
        """Images a second of the stream over those of the loop."""
        return self.stream.run.images_per_s / self.loop.run.images_per_s


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and the broker's process where it is ours."""

    stream: Side
    loop: Side
    broker_pid: int | None

    async def rounds(self, batch: Batch, count: int, on_step: Callable[[str], None]) -> list[Round]:
        """`count` rounds, each side's turn with a warm-up of its own.

        Raises `BenchmarkFailed`, also when a process died meanwhile.
        """
        few = _WARM_UP_IMAGES * len(self.loop.pids)
        warm_up = Batch(batch.operation, batch.paths[:few], batch.max_faces)
        done = []
        for number in range(1, count + 1):
            measured = []
            for side, other in ((self.stream, self.loop), (self.loop, self.stream)):
                on_step(f"{batch.operation}: round {number} of {count}, the {side.name}")
                async with side.awake():
                    await side.run(warm_up)
                    measured.append(await self._measure(side, other, batch))
            done.append(Round(*measured))
        return done

    async def _measure(self, side: Side, other: Side, batch: Batch) -> Measured:
        pids = side.pids
        own, others = Processes(pids), Processes(other.pids)
        broker = None if self.broker_pid is None else Processes([self.broker_pid])
        looked_at = [own, others, *([] if broker is None else [broker])]
        before = _cpu_s(looked_at)
        client_before_s, machine_before_s = _own_cpu_s(), machine_cpu_s()
        with PeakMemory(own) as memory:
            run = await side.run(batch)
        client_s, machine_s = _own_cpu_s() - client_before_s, machine_cpu_s() - machine_before_s
        after = _cpu_s(looked_at)
        if side.pids != pids:
            raise BenchmarkFailed(f"a process of the {side.name} died while it was measured")
        spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
        return Measured(
            run=run,
            cpu_s=spent[0],
            other_side_cpu_s=spent[1],
            broker_cpu_s=None if broker is None else spent[2],
            client_cpu_s=client_s,
            others_cpu_s=max(0.0, machine_s - sum(spent) - client_s),
            peak_rss_bytes=memory.peak_bytes,
        )


def _cpu_s(looked_at: Sequence[Processes]) -> list[float]:
    return [processes.cpu_s() for processes in looked_at]


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system
