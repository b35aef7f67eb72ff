"""What processes cost: CPU seconds and memory, read from outside, alike for every side."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from benchmarks.batches import BenchmarkFailed


class PsutilMissing(RuntimeError):
    """psutil is not installed."""


class Processes:
    """Some processes, without their children."""

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
            self._processes = [psutil.Process(pid) for pid in pids]
        except psutil.NoSuchProcess as error:
            raise BenchmarkFailed(f"process {error.pid} ended") from None

    def cpu_s(self) -> float:
        """User and system time of all of them so far, in seconds, to 10 ms each.

        Raises `BenchmarkFailed` when one has ended, for its time went with it.
        """
        try:
            return sum(sum(process.cpu_times()[:4]) for process in self._processes)
        except self._gone as error:
            raise BenchmarkFailed(f"process {error.pid} ended while it was measured") from None

    def thread_cpu_s(self) -> dict[str, float]:
        """User and system time so far by the threads' names, of all of them together.

        Numbers that follow a name are left out, so that a pool is one. Linux knows the names.
        """
        used: dict[str, float] = {}
        with suppress(self._gone):
            for process in self._processes:
                for thread in process.threads():
                    name = "main" if thread.id == process.pid else _name(process.pid, thread.id)
                    used[name] = used.get(name, 0.0) + thread.user_time + thread.system_time
        return used

    def pss_bytes(self) -> int:
        """Memory of all of them now: of pages that several processes share, each its part.

        Resident memory where the system does not tell shares. A look takes milliseconds and stops
        their page faults meanwhile: not for within what is timed.
        """
        total = 0
        for process in self._processes:
            with suppress(self._gone):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.rss)
        return total


def _name(pid: int, thread: int) -> str:
    with suppress(OSError):
        name = Path(f"/proc/{pid}/task/{thread}/comm").read_text()
        return name.strip().rstrip("0123456789_-") or "unnamed"
    return "unnamed"


def tree(pid: int) -> list[int]:
    """The process and all that it started, as far as they run."""
    import psutil

    try:
        root = psutil.Process(pid)
        return [pid, *sorted(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def parts_of_up(pid: int) -> dict[str, list[int]]:
    """`facestream up` and what it started: its `workers` with what forks them, its `edge`, and the
    `rest`."""
    import psutil

    found: dict[str, list[int]] = {"workers": [], "edge": [], "rest": []}
    for one in tree(pid):
        words = psutil.Process(one).cmdline()
        part = "workers" if "stream.worker" in words else "edge" if "edge" in words else "rest"
        found[part].append(one)
    return found


def workers_under(pid: int) -> list[int]:
    """The workers that a process has, through what forks them."""
    import psutil

    return [one for one in tree(pid) if psutil.Process(one).name() == "stream.worker"]


def machine_cpu_s() -> float:
    """What all processes of the machine, and those that it shares its processor with, used so far.

    In seconds over all cores. Raises `ModuleNotFoundError` where psutil is not there.
    """
    import psutil

    times = psutil.cpu_times()
    # guests' time stands in user time already; other systems than Linux lack most of these
    busy = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, name, 0.0) for name in busy)
