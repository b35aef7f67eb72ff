"""Memory of each process of `facestream up` while it works, and by how much it grew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from benchmarks.processes import workers_under
from tests.soak import SOAK

#: share of a run after which memory is flat: buffers are filled and every kind of image was seen
WARM_UP = 0.25
#: what flat means; a shorter run is still warming up when its first quarter is over
MOST_GROWTH = 0.05 if SOAK else 0.15
_SAMPLE_S = 0.5


@dataclass(slots=True)
class MemoryCurve:
    """What was sampled twice a second: at which second, after how many events, MiB by process."""

    title: str
    seconds: list[float] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    mib: dict[str, list[float]] = field(default_factory=dict)

    def growth(self) -> dict[str, float]:
        """By process: how much higher the last quarter lies than the first after the warm-up."""
        return {name: growth(values) for name, values in self.mib.items()}


def growth(values: Sequence[float]) -> float:
    """Of the medians of the first and the last quarter of what follows the warm-up; 0.05 is 5 %.

    Medians, for single samples hold a large image that is just decoded.
    """
    after = values[round(len(values) * WARM_UP) :]
    quarter = len(after) // 4
    assert quarter >= 4, f"{len(values)} samples say nothing"
    return median(after[-quarter:]) / median(after[:quarter]) - 1


def processes_of_up(pid: int) -> dict[str, psutil.Process]:
    """Supervisor, edge and workers, by name."""
    supervisor = psutil.Process(pid)
    workers = {
        f"worker {number}": psutil.Process(one) for number, one in enumerate(workers_under(pid))
    }
    (edge,) = (child for child in supervisor.children() if "edge" in child.cmdline())
    return {"supervisor": supervisor, "edge": edge} | workers


@contextmanager
def watched(
    title: str, processes: Mapping[str, psutil.Process], settled: Callable[[], int]
) -> Iterator[MemoryCurve]:
    """Sample while the `with` block lasts. Raises what reading of one that has ended raises."""
    curve = MemoryCurve(title, mib={name: [] for name in processes})
    ending = threading.Event()
    failures: list[Exception] = []

    def watch() -> None:
        began_at = time.monotonic()
        while not ending.wait(_SAMPLE_S):
            try:
                now = {name: _mib(process) for name, process in processes.items()}
            except (OSError, StopIteration) as error:
                failures.append(error)
                return
            curve.seconds.append(time.monotonic() - began_at)
            curve.settled.append(settled())
            for name, mib in now.items():
                curve.mib[name].append(mib)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield curve
    finally:
        ending.set()
        thread.join()
    if failures:
        raise failures[0]


def _mib(process: psutil.Process) -> float:
    """What it has for itself, of no file: its share of those changes as other processes that map
    them come and go. Linux's RssAnon."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(kib) / 1024
