"""What processes cost: CPU seconds and memory, read from outside, alike for every side."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from benchmarks.batches import BenchmarkFailed

_SAMPLE_S = 0.25


class PsutilMissing(RuntimeError):
    """psutil is not installed."""


class Processes:
    """Some processes, each with the children that it has now."""

    def __init__(self, pids: Iterable[int]) -> None:
        """Raises `PsutilMissing`, and `BenchmarkFailed` when one has ended."""
        try:
            import psutil
        except ModuleNotFoundError:
            raise PsutilMissing(
                "bench reads CPU time and memory with psutil: pip install 'facestream[bench]'"
            ) from None
        self._gone = psutil.NoSuchProcess
        try:
            roots = [psutil.Process(pid) for pid in pids]
            # looked for once: it takes a look at every process of the machine
            children = [child for root in roots for child in root.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise BenchmarkFailed(f"process {error.pid} ended") from None
        self._processes = [*roots, *children]

    def cpu_s(self) -> float:
        """User and system time of all of them so far, in seconds, to 10 ms each.

        Raises `BenchmarkFailed` when one has ended, for its time went with it.
        """
        try:
            return sum(sum(process.cpu_times()[:4]) for process in self._processes)
        except self._gone as error:
            raise BenchmarkFailed(f"process {error.pid} ended while it was measured") from None

    def rss_bytes(self) -> int:
        """Resident memory of all of them now; what they share counts for each."""
        total = 0
        for process in self._processes:
            with suppress(self._gone):
                total += process.memory_info().rss
        return total


def machine_cpu_s() -> float:
    """What all processes of the machine, and those that it shares its processor with, used so far.

    In seconds over all cores. Raises `ModuleNotFoundError` where psutil is not there.
    """
    import psutil

    times = psutil.cpu_times()
    # guests' time stands in user time already; other systems than Linux lack most of these
    busy = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, name, 0.0) for name in busy)


class PeakMemory:
    """The most resident memory that was seen while the `with` block lasted, four times a second."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._see()

    def _watch(self) -> None:
        self._see()
        while not self._ended.wait(_SAMPLE_S):
            self._see()

    def _see(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._processes.rss_bytes())
