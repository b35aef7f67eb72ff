"""A worker keeps to processors of its own while all of the machine's are busy.

An event goes through six threads of its worker. Handed to another processor each time, it wakes
that one and finds its caches cold: a tenth of what a small photograph's detection takes. While some
processor idles, the kernel's spreading is better, since decoding runs beside computing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

_LOOK_S = 0.5
#: shares of the processors' time that pass idle: from busy to idle and back, not to and fro
_BUSY_BELOW = 0.1
_IDLE_ABOVE = 0.2

log = logging.getLogger(__name__)


def usable_processors() -> tuple[int, ...]:
    """The processors that this process may run on, ascending; none where nobody tells."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def shared_out(processors: Sequence[int], workers: int, threads: int) -> list[tuple[int, ...]]:
    """Processors of its own for each worker; none where there are more or fewer than it takes.

    Some that are left over are for workers to use too; too few are shared out more evenly by the
    kernel.
    """
    if workers * threads != len(processors):
        return [()] * workers
    return [tuple(processors[at * threads : (at + 1) * threads]) for at in range(workers)]


class OwnProcessors:
    """`await OwnProcessors([3]).keep()` for as long as the process lives. On Linux.

    `stat` tells the time that each processor idled, as proc(5) has it.
    """

    def __init__(self, own: Collection[int], stat: Path = Path("/proc/stat")) -> None:
        self._own = frozenset(own)
        self._all = frozenset(usable_processors())
        self._stat = stat
        self._before: tuple[int, int] | None = None
        self.kept = False

    async def keep(self) -> None:
        """Look twice a second, until the system refuses it."""
        try:
            while True:
                self.look()
                await asyncio.sleep(_LOOK_S)
        except OSError as error:
            log.warning("does not keep to the processors %s: %s", sorted(self._own), error)

    def look(self) -> None:
        """By the time since the last look: keep to our own processors, or use any.

        Raises `OSError` where processors were taken from us, or the system tells no times.
        """
        before, self._before = self._before, idle_ticks(self._stat, self._all)
        if before is None:
            return
        idle, whole = (now - then for now, then in zip(self._before, before, strict=True))
        if whole <= 0:
            return
        keep = idle / whole < (_IDLE_ABOVE if self.kept else _BUSY_BELOW)
        if keep != self.kept:
            self.kept = keep
            self._confine(self._own if keep else self._all)

    def _confine(self, processors: Collection[int]) -> None:
        log.debug("runs on the processors %s", sorted(processors))
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), processors)


def idle_ticks(stat: Path, processors: Collection[int]) -> tuple[int, int]:
    """Idle ones, and all, of these processors since the machine's start, as proc(5) tells them."""
    idle = whole = 0
    for line in stat.read_text().splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in processors:
            # user nice system idle iowait irq softirq steal; a guest's are the user's once more
            ticks = [int(number) for number in numbers[:8]]
            idle += ticks[3] + ticks[4]
            whole += sum(ticks)
    return idle, whole
