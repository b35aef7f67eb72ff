"""The compute thread: one per process, the most urgent job first, between two steps too.

An outcome that nobody hurries for is told with the next ones while enough other work waits.
The event loop wakes to cold caches after each image, and to warm ones for all of several.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from stream.io.thread_names import name_thread

T = TypeVar("T")
Steps = Generator[None, None, T]

#: the priority of what somebody waits for; what comes after it is told in bundles
URGENT = 0
#: of about so many jobs
_MEAN_OF = 8
#: outcomes told at once, at most, and for how long the first of them is kept from its caller
_BUNDLE = 4
_KEPT_S = 0.1
#: from telling an outcome to the next job of whom it was told: what waits has to last for it
_ROUND_S = 0.005


@dataclass(order=True, slots=True)
class _Job(Generic[T]):
    priority: int
    order: int
    start: Callable[[], Steps[T]] = field(compare=False)
    future: asyncio.Future[T] = field(compare=False)
    abandoned: threading.Event = field(default_factory=threading.Event, compare=False)


@dataclass(frozen=True, slots=True)
class _EndedJob:
    """The future's method that tells of it, and what that is given."""

    future: asyncio.Future[Any]
    settle: Callable[[Any], None]
    value: object


class ComputeThread:
    """Runs generators to their end; between two of their steps, more urgent ones go first.

    A generator yields where it may be interrupted. Models are called from this thread alone.
    """

    def __init__(self, name: str = "compute") -> None:
        self._jobs: list[_Job[Any]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._stopping = False
        self._step_started_at: float | None = None
        #: seconds of a job, what ran in between left out; of the last ones, 0 before the first
        self.mean_s = 0.0
        self._untold: list[_EndedJob] = []
        #: when the first of them was there
        self._untold_since = 0.0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=5)

    @property
    def idle(self) -> bool:
        """Whether a job that came now would be begun at once."""
        return self._step_started_at is None and not self._jobs

    @property
    def step_age_s(self) -> float:
        """Seconds since the step in work began; 0 when idle. A supervisor's sign of a hang."""
        started_at = self._step_started_at
        return 0.0 if started_at is None else time.monotonic() - started_at

    async def run(self, priority: int, start: Callable[[], Steps[T]]) -> T:
        """Run `start()` in the thread; lower `priority` goes first. Raises what it raises.

        Above `URGENT`, while others wait, the outcome may come 0.1 s, and the step then under way,
        after the job's end.
        When the caller is cancelled, a job that waits is dropped and a running one is left at
        its next step.
        """
        future = asyncio.get_running_loop().create_future()
        job: _Job[T] = _Job(priority, next(self._order), start, future)
        with self._wake:
            heapq.heappush(self._jobs, job)
            self._wake.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            job.abandoned.set()
            raise

    def _work(self) -> None:
        name_thread(self._thread.name)
        while True:
            with self._wake:
                while not self._jobs and not self._stopping:
                    self._wake.wait()
                if self._stopping:
                    break
                job = heapq.heappop(self._jobs)
            self._run(job)
            self._tell_what_is_due()
        self._tell()

    def _run(self, job: _Job[Any]) -> None:
        if job.abandoned.is_set():
            return
        ended: _EndedJob | None = None
        took_s = 0.0
        try:
            steps = job.start()
            while not job.abandoned.is_set():
                self._step_started_at = time.monotonic()
                try:
                    next(steps)
                finally:
                    took_s += time.monotonic() - self._step_started_at
                self._run_more_urgent(job.priority)
                self._tell_what_is_due()
            steps.close()
        except StopIteration as end:
            ended = _EndedJob(job.future, job.future.set_result, end.value)
        except BaseException as error:  # noqa: BLE001 - this thread outlives whatever a model raises
            ended = _EndedJob(job.future, job.future.set_exception, _as_error(error))
        self._step_started_at = None
        if ended is not None:
            self.mean_s += (took_s - self.mean_s) / (_MEAN_OF if self.mean_s else 1)
            if not self._untold:
                self._untold_since = time.monotonic()
            self._untold.append(ended)
            if job.priority <= URGENT:
                self._tell()

    def _run_more_urgent(self, priority: int) -> None:
        while not self._stopping:
            with self._wake:
                if not self._jobs or self._jobs[0].priority >= priority:
                    return
                urgent = heapq.heappop(self._jobs)
            self._run(urgent)

    def _tell_what_is_due(self) -> None:
        """All of it, or nothing while it can wait and this thread does not run out of work."""
        work_after_next_s = (len(self._jobs) - 1) * self.mean_s
        kept_until_next_s = time.monotonic() + self.mean_s - self._untold_since
        if (
            len(self._untold) >= _BUNDLE
            or work_after_next_s < _ROUND_S
            or kept_until_next_s > _KEPT_S
        ):
            self._tell()

    def _tell(self) -> None:
        if self._untold:
            told, self._untold = self._untold, []
            told[0].future.get_loop().call_soon_threadsafe(_settle, told)


def _settle(jobs: list[_EndedJob]) -> None:
    for job in jobs:
        if not job.future.done():
            job.settle(job.value)


def _as_error(error: BaseException) -> Exception:
    """A future takes no StopIteration, and a caller would take a CancelledError for its own."""
    if isinstance(error, Exception):
        return error
    return RuntimeError(f"the computation raised {type(error).__name__}")
