"""What it costs a machine that a side is at work: read from outside, alike for every side."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.processes import Processes, machine_cpu_s


@dataclass(slots=True)
class Costs:
    """Seconds, of the time that was counted."""

    #: of the whole, in which the following were spent
    lasted_s: float = 0.0
    #: user and system time of the side's processes
    cpu_s: float = 0.0
    #: of what was to be idle
    idle_cpu_s: float = 0.0
    #: of the broker that the side needs; None where it needs none, or that is not ours to look into
    broker_cpu_s: float | None = None
    #: of this process, which asks and reads
    client_cpu_s: float = 0.0
    #: of everything else on the machine, a broker that is not ours included
    others_cpu_s: float = 0.0


class Meter:
    """`with meter.counting(): …`, as often as wanted; `meter.costs` has them all."""

    def __init__(self, own: Collection[int], idle: Collection[int], broker: int | None) -> None:
        """Pids: of the side, of what is to be idle, of the broker. Raises as `Processes` does."""
        self.own = frozenset(own)
        self.costs = Costs(broker_cpu_s=None if broker is None else 0.0)
        self._own, self._idle = Processes(own), Processes(idle)
        self._broker = Processes([] if broker is None else [broker])

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Raises `BenchmarkFailed` at its end when a process has ended."""
        before, began_at = self._spent(), time.monotonic()
        yield
        lasted_s = time.monotonic() - began_at
        own, idle, broker, client, machine = (
            now - then for now, then in zip(self._spent(), before, strict=True)
        )
        costs = self.costs
        costs.lasted_s += lasted_s
        costs.cpu_s += own
        costs.idle_cpu_s += idle
        if costs.broker_cpu_s is not None:
            costs.broker_cpu_s += broker
        costs.client_cpu_s += client
        costs.others_cpu_s += max(0.0, machine - own - idle - broker - client)

    def pss_bytes(self) -> int:
        """Of the side's processes together, now."""
        return self._own.pss_bytes()

    def _spent(self) -> tuple[float, ...]:
        looked_at = (self._own, self._idle, self._broker)
        return (*(one.cpu_s() for one in looked_at), time.process_time(), machine_cpu_s())
