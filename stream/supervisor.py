"""Starts the worker processes, starts again what dies or hangs, and stops them in order."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import ValidationError

from stream.crash_notes import SUFFIX, read_notes
from stream.crashes import tell_of_death, tell_of_former
from stream.forked import WORKER, ForkedProcess, ForkedWorkers, ForkServerEnded, ForkServerProcess
from stream.heartbeat import EXIT_NO_MODELS, Beat, failed_status, publish_status
from stream.io.blobs import BlobStore, BlobStoreError
from stream.io.producer import Producer
from stream.processors import shared_out, usable_processors
from stream.settings import WorkerSettings

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
#: a worker that lived so long did not die at once: the next pause is the first again
_HEALTHY_S = 20.0
_CHECK_S = 0.5
_DEATHS_OF_A_BAD_START = 3
#: kept free of the time that a stop may take, for the kill and what follows
_KILL_RESERVE_S = 2.0

_SWEEP_S = 600.0


class WorkersFailed(RuntimeError):
    """No worker came up; the message says how the last one ended."""


@dataclass(slots=True)
class _Slot:
    """A place for one process after another, under one id."""

    worker_id: str
    instance_id: str | None
    #: its own; none where the kernel is to choose
    processors: tuple[int, ...] = ()
    process: ForkedProcess | None = None
    beat: Beat | None = None
    beat_at: float = 0.0
    exit_code: int | None = None
    #: since one was at work
    deaths: int = 0
    started_at: float = 0.0
    starts: int = 0
    #: a Unix socket; none where nobody asks for metrics
    metrics: Path | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """`async with Supervisor(settings, environ) as supervisor: await supervisor.ready()`.

    The workers read their settings from `environ`, which must say the same as `settings`, and
    write their log to `log`, else to standard error. `fork_server`: one that was started before all
    this was known; it is ended with the supervisor.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        environ: Mapping[str, str] | None = None,
        *,
        log: IO[bytes] | None = None,
        worker: Sequence[str] = WORKER,
        fork_server: ForkServerProcess | None = None,
    ) -> None:
        self._settings = settings
        environ = os.environ if environ is None else environ
        self._workers = ForkedWorkers(worker, environ, log, fork_server)
        host = socket.gethostname()
        group = uuid.uuid4().hex[:8]
        usable = usable_processors() if settings.cpu_affinity == "auto" else ()
        own = shared_out(usable, settings.max_workers, settings.threads_per_session)
        # A stable group instance id keeps the others undisturbed while a worker is started again.
        self._slots = [
            _Slot(
                worker_id=f"{host}-{group}-{number}",
                instance_id=None if settings.kafka_embedded else f"{host}-{group}-{number}",
                processors=processors,
            )
            for number, processors in enumerate(own)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._stack = AsyncExitStack()
        self._producer = Producer(settings.librdkafka())
        self._notes_folder = Path()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _begin(self) -> None:
        self._stack.push_async_callback(self._workers.close)
        self._workers.start()  # its imports take the longest
        if self._settings.metrics_port is not None:
            await self._serve_metrics(self._settings.metrics_port)
        self._notes_folder = self._settings.crash_notes_dir or Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="facestream-"))
        )
        self._notes_folder.mkdir(parents=True, exist_ok=True)
        await self._stack.enter_async_context(self._producer)
        await tell_of_former(self._producer, self._settings.topics, self._notes_folder)
        self._tasks = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        self._tasks.append(asyncio.create_task(self._sweep_blobs()))

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        await asyncio.gather(*(self._stop(slot) for slot in self._slots))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._stop(slot) for slot in self._slots))  # started meanwhile
        for slot in self._slots:  # what they died over was told
            self._notes_of(slot).unlink(missing_ok=True)
        await self._stack.aclose()

    async def ready(self) -> None:
        """Wait until every worker is at work. Raises `WorkersFailed` when one cannot be had."""
        waits = [asyncio.create_task(slot.ready.wait()) for slot in self._slots]
        try:
            while not all(wait.done() for wait in waits):
                await asyncio.wait(waits, timeout=_CHECK_S)
                for slot in self._slots:
                    if slot.exit_code == EXIT_NO_MODELS:
                        raise WorkersFailed(_why(slot))
                    if slot.deaths >= _DEATHS_OF_A_BAD_START:
                        raise WorkersFailed(
                            f"worker {slot.worker_id} does not start: exit code {slot.exit_code}"
                        )
        finally:
            for wait in waits:
                wait.cancel()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run now, in the order of their slots."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    async def _serve_metrics(self, port: int) -> None:
        from stream.scraping import serving

        async with AsyncExitStack() as stack:
            # not in the folder of notes: a socket's path has 107 bytes at most
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="facestream-"))
            for number, slot in enumerate(self._slots):
                slot.metrics = Path(folder) / f"{number}"
            host = self._settings.metrics_host
            await stack.enter_async_context(serving(host, port, self._gather_metrics))
            self._stack.push_async_callback(stack.pop_all().aclose)

    async def _gather_metrics(self) -> bytes:
        from stream.metrics import Scraped, merged
        from stream.scraping import ask

        texts = await asyncio.gather(*(ask(slot.metrics) for slot in self._slots if slot.metrics))
        return merged(
            Scraped(slot.worker_id, slot.starts, text)
            for slot, text in zip(self._slots, texts, strict=True)
        )

    async def _sweep_blobs(self) -> None:
        """Remove blobs by age: here and not on reply, for a request may be delivered twice."""
        async with BlobStore(self._settings) as blobs:
            while not self._stopping.is_set():
                try:
                    removed = await blobs.sweep(datetime.now(UTC))
                except BlobStoreError as error:
                    log.warning("blobs were not swept: %s", error)
                else:
                    log.debug("%d blobs removed by age", removed)
                await asyncio.sleep(_SWEEP_S)

    async def _keep(self, slot: _Slot) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            started_at = time.monotonic()
            try:
                await self._start(slot)
            except ForkServerEnded as ended:
                slot.exit_code = ended.exit_code
            else:
                await self._watch(slot)
            if self._stopping.is_set():
                return
            slot.deaths += 1
            await self._report(slot)
            lived_s = time.monotonic() - started_at
            pause_s = _FIRST_PAUSE_S if lived_s > _HEALTHY_S else pause_s
            log.error(
                "worker %s ended after %.1f s: %s; started again in %.1f s",
                slot.worker_id,
                lived_s,
                _why(slot),
                pause_s,
            )
            await self._pause(slot, pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _pause(self, slot: _Slot, pause_s: float) -> None:
        """And say meanwhile, in the dead worker's place, that it failed and why."""
        end_at = time.monotonic() + pause_s
        while (left_s := end_at - time.monotonic()) > 0:
            status = failed_status(
                slot.worker_id,
                started_at=slot.started_at,
                message=f"{_why(slot)}; started again in {left_s:.1f} s",
            )
            await publish_status(self._producer, self._settings.topics, status)
            await asyncio.sleep(min(left_s, self._settings.heartbeat_interval_s))

    async def _report(self, slot: _Slot) -> None:
        """Tell all workers what was in native code, before one of them takes it up again."""
        if slot.exit_code is not None and slot.exit_code < 0:  # else it ended by itself
            await tell_of_death(
                self._producer,
                self._settings.topics,
                read_notes(self._notes_of(slot)),
                worker_id=slot.worker_id,
                exit_code=slot.exit_code,
            )

    def _notes_of(self, slot: _Slot) -> Path:
        return self._notes_folder / f"{slot.worker_id}{SUFFIX}"

    async def _start(self, slot: _Slot) -> None:
        arguments = ["--id", slot.worker_id, "--notes", str(self._notes_of(slot))]
        if slot.instance_id is not None:
            arguments += ["--instance-id", slot.instance_id]
        if slot.metrics is not None:
            arguments += ["--metrics", str(slot.metrics)]
        if slot.processors:
            arguments += ["--processors", *map(str, slot.processors)]
        slot.starts += 1
        slot.beat, slot.started_at = None, time.time()
        slot.process = await self._workers.fork(arguments, self._settings.worker_timeout)
        slot.beat_at = time.monotonic()

    async def _watch(self, slot: _Slot) -> None:
        """Until the process ends, by itself or because it hung."""
        process = slot.process
        assert process is not None
        reading = asyncio.create_task(self._read_beats(slot, process))
        ending = asyncio.create_task(process.wait())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=_CHECK_S)
                hung = self._hung(slot)
                if hung is not None and not ending.done() and not self._stopping.is_set():
                    log.error("worker %s is killed: %s", slot.worker_id, hung)
                    process.kill()
                    await ending
            slot.exit_code = ending.result()
            await asyncio.wait({reading}, timeout=_CHECK_S)  # its last words
        finally:
            reading.cancel()
            process.close()
            slot.ready.clear()
            if process.returncode is not None:
                slot.process = None

    async def _read_beats(self, slot: _Slot, process: ForkedProcess) -> None:
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line of more than 64 KiB, and no beat
                continue
            if not line:
                return
            try:
                slot.beat = Beat.model_validate_json(line)
            except ValidationError:
                log.info("worker %s wrote: %s", slot.worker_id, line.decode(errors="replace"))
                continue
            slot.beat_at = time.monotonic()
            if slot.beat.state == "running" and slot.beat.partitions is not None:
                slot.deaths, slot.exit_code = 0, None
                slot.ready.set()

    def _hung(self, slot: _Slot) -> str | None:
        longest_s = self._settings.worker_timeout
        silent_s = time.monotonic() - slot.beat_at
        if silent_s > longest_s:
            return f"silent for {silent_s:.0f} s"
        if slot.beat is not None and slot.beat.step_age_s > longest_s:
            return f"one step of a computation takes {slot.beat.step_age_s:.0f} s"
        return None

    async def _stop(self, slot: _Slot) -> None:
        process = slot.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(max(1.0, self._settings.worker_timeout - _KILL_RESERVE_S)):
                await process.wait()
        except TimeoutError:
            log.warning("worker %s does not stop in time and is killed", slot.worker_id)
            process.kill()
            await process.wait()


def _why(slot: _Slot) -> str:
    """How its last process ended, in its own words where it had any."""
    ended = f"exit code {slot.exit_code}"
    if slot.beat is not None and slot.beat.message is not None:
        return f"{ended}: {slot.beat.message}"
    return f"{ended}: the models cannot be had" if slot.exit_code == EXIT_NO_MODELS else ended
