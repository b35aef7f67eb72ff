"""Processes that are stopped for a while, so that others can be measured amid what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress


class Pauses:
    """Of one side's processes; `ran_s` is a clock that stands still in them."""

    def __init__(self) -> None:
        #: (from, to), time.perf_counter()
        self._past: list[tuple[float, float]] = []

    @contextmanager
    def pause(self, pids: Collection[int]) -> Iterator[None]:
        """These processes do not run while the block, and this process, last."""
        with _continued_at_the_end(pids):
            began_at = time.perf_counter()
            try:
                _signal(pids, signal.SIGSTOP)
                yield
            finally:
                _signal(pids, signal.SIGCONT)
                self._past.append((began_at, time.perf_counter()))

    def ran_s(self, at: float) -> float:
        """`at`, time.perf_counter(), less the seconds of the pauses until then."""
        return at - sum(min(at, end) - begin for begin, end in self._past if begin < at)


@contextmanager
def _continued_at_the_end(pids: Collection[int]) -> Iterator[None]:
    """Also where this process is killed: who is stopped would not see it, and stay for ever."""
    told = ["sh", "-c", 'read -r _; kill -CONT "$@"', "sh", *map(str, pids)]
    with subprocess.Popen(
        told, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        yield


def _signal(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
