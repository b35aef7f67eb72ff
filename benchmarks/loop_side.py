"""The plain loop: bare processes that read, decode and compute, with nothing around it."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from benchmarks.batches import Batch, BenchmarkFailed, Run
from schemas.errors import FacestreamError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnContext, SpawnProcess
    from multiprocessing.sharedctypes import Synchronized

    from stream.pipeline import Pipeline
    from stream.settings import WorkerSettings
    from stream.worker import LoadModels

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 10.0
#: (position in the batch, faces or None where it failed, milliseconds by stage)
Computed = tuple[int, int | None, dict[str, float]]
#: what one process computed, and the seconds that it took
Share = tuple[list[Computed], float]


class LoopSide:
    """`async with LoopSide(settings) as loop: await loop.run(batch, None)`.

    In `max_workers` processes, which take the images of a batch one by one from a common counter,
    and sleep in between batches.
    """

    name = "loop"
    home = None

    def __init__(self, settings: WorkerSettings, load: LoadModels | None = None) -> None:
        """load: other models than those that the settings ask for; a function of a module."""
        self._settings = settings
        self._load = load
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._next: Synchronized[int] = self._context.Value("q", 0)
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection[Any, Any]] = []

    async def __aenter__(self) -> Self:
        """Returns when every process has its models loaded. Raises `BenchmarkFailed`."""
        try:
            with _interrupts_blocked():
                for number in range(self._settings.max_workers):
                    self._start(f"bare-loop-{number}")
            await asyncio.to_thread(self._answers, _START_TIMEOUT_S, self._pipes)
        except BaseException:
            self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self, name: str) -> None:
        ours, theirs = self._context.Pipe()
        self._pipes.append(ours)
        with theirs:
            process = self._context.Process(
                target=_serve,
                args=(self._settings, self._load, theirs, self._next),
                name=name,
                daemon=True,
            )
            process.start()
        self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid is not None]

    async def run(self, batch: Batch, callers: int | None) -> Run:
        """In so many of the processes; None: in all. Raises `BenchmarkFailed`.

        What each of them does a second, from its first image to the end of its last, is added up:
        that one begins after the other, and waits for the other's last image, does not count.
        """
        return await asyncio.to_thread(self._run, batch, self._pipes[:callers])

    def _run(self, batch: Batch, pipes: list[Connection[Any, Any]]) -> Run:
        self._next.value = 0
        for pipe in pipes:
            pipe.send(batch)
        shares: list[Share] = self._answers(None, pipes)
        images_per_s = sum(len(images) / seconds for images, seconds in shares)
        computed = sorted((one for images, _ in shares for one in images), key=lambda one: one[0])
        if [position for position, _, _ in computed] != list(range(len(batch.paths))):
            raise BenchmarkFailed("the bare loop did not compute each image once")
        return Run(
            elapsed_s=len(computed) / images_per_s,
            faces=tuple(faces for _, faces, _ in computed),
            waits_ms=tuple(sum(timings.values()) for _, _, timings in computed),
            stages_ms=tuple(timings for _, _, timings in computed),
        )

    def _answers(self, timeout_s: float | None, pipes: list[Connection[Any, Any]]) -> list[Any]:
        """One of each of these processes."""
        answers: list[Any] = []
        waiting = list(pipes)
        while waiting:
            ready = wait(waiting, timeout_s)
            if not ready:
                raise BenchmarkFailed(f"a bare process did not answer within {timeout_s} s")
            for pipe in ready:
                assert isinstance(pipe, Connection)
                try:
                    answers.append(pipe.recv())
                except EOFError:
                    raise BenchmarkFailed(
                        "a bare process ended; its own message is above"
                    ) from None
                waiting.remove(pipe)
        return answers

    def _stop(self) -> None:
        for process in self._processes:
            process.terminate()  # it holds nothing; a pipe that closes ends it too
        for process in self._processes:
            process.join(_STOP_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes that start in the block never see Ctrl-C: it is for the parent, which ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    settings: WorkerSettings,
    load: LoadModels | None,
    pipe: Connection[Any, Any],
    following: Synchronized[int],
) -> None:
    """A bare process: its answer to nothing is that it is ready, to a batch what it computed."""
    from stream.models.loading import load_models
    from stream.pipeline import Pipeline

    pipeline = Pipeline((load or load_models)(settings), settings)
    with suppress(EOFError, BrokenPipeError):
        pipe.send(None)
        while True:
            batch: Batch = pipe.recv()
            began_at = time.perf_counter()
            images = [_compute(pipeline, settings, batch, n) for n in _taken(batch, following)]
            share: Share = images, time.perf_counter() - began_at
            pipe.send(share)


def _taken(batch: Batch, following: Synchronized[int]) -> Iterator[int]:
    """Positions in the batch, until all are taken by one process or another."""
    while True:
        with following.get_lock():
            position = following.value
            following.value += 1
        if position >= len(batch.paths):
            return
        yield position


def _compute(pipeline: Pipeline, settings: WorkerSettings, batch: Batch, position: int) -> Computed:
    from stream.images import open_photograph

    timings_ms: dict[str, float] = {}
    started_at = time.perf_counter()
    try:
        data = Path(batch.paths[position]).read_bytes()
        read_at = time.perf_counter()
        photograph = open_photograph(data, settings.max_image_pixels, settings.enough_px)
        decoded_at = time.perf_counter()
        timings_ms |= {
            "fetch": (read_at - started_at) * 1000,
            "decode": (decoded_at - read_at) * 1000,
        }
        faces = pipeline.run(photograph, batch.operation, batch.max_faces, timings_ms)
    except (FacestreamError, OSError):
        return position, None, timings_ms
    return position, len(faces), timings_ms
