"""One worker process: models, lanes and the Faust app, from the start to the graceful stop.

Forked by the supervisor's server (stream/fork_server.py). Standard output is the pipe to the
supervisor, a line a beat; when standard input ends, the supervisor is gone and the worker stops.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from schemas.results import WorkerStatus
from stream.app import FaceApp, build_app
from stream.compute import ComputeThread
from stream.crash_notes import CrashNotes
from stream.crashes import CrashLog
from stream.embedded_faust import join_together
from stream.event import by_topic
from stream.fetching import ImageSource
from stream.heartbeat import EXIT_NO_MODELS, Beat, WorkerState, publish_status, write_beat
from stream.images import ImageReader
from stream.io import event_loop
from stream.io.blobs import BlobStore
from stream.io.producer import Producer
from stream.metrics import Load, WorkerMetrics
from stream.models.download import PackUnavailable
from stream.models.loading import FaceModels, load_models
from stream.pipeline import Pipeline
from stream.processing import Processor
from stream.processors import OwnProcessors
from stream.publisher import Publisher
from stream.scraping import answering
from stream.settings import WorkerSettings

log = logging.getLogger(__name__)

EXIT_CRASHED = 1
_BEAT_S = 0.5
_START_CANCEL_S = 5.0
_ORPHAN_S = 30.0

#: blocks until every model is there; raises `PackUnavailable`
LoadModels = Callable[[WorkerSettings], FaceModels]


@dataclass(slots=True)
class Worker:
    """A process's state, and the parts that tell of it."""

    settings: WorkerSettings
    worker_id: str
    instance_id: str | None
    compute: ComputeThread
    #: of its own, while all are busy; none where the kernel is to choose
    processors: tuple[int, ...] = ()
    state: WorkerState = "starting"
    models: FaceModels | None = None
    app: FaceApp | None = None
    publisher: Publisher | None = None
    started_at: float = field(default_factory=time.time)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    #: set and replaced at the next change that others should hear of at once
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    def crash(self, error: BaseException) -> None:
        """Stop because something is beyond repair here; the supervisor starts anew."""
        if self.failure is None:
            log.critical("the worker stops: %s", error, exc_info=error)
            self.failure = error
        self.stop.set()

    def tell(self) -> None:
        """What is said from time to time is said now."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def until_told(self, seconds: float) -> None:
        """Wait so long, or until there is something to tell."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()

    def exposed(self) -> bytes:
        """What Prometheus reads of this process."""
        return self.metrics.exposed(self.app.load() if self.app else Load())

    def status(self) -> WorkerStatus:
        """What the heartbeat says."""
        lanes = self.app.lanes.values() if self.app else ()
        progress_at = max((lane.progress_at for lane in lanes), default=None)
        return WorkerStatus(
            id=self.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            state=self.state,
            partitions=by_topic(self.app.held if self.app else set()),
            models=self.models.info if self.models else None,
            in_flight=sum(lane.in_flight for lane in lanes),
            settled=sum(lane.settled for lane in lanes),
            replies_failed=self.publisher.replies_failed if self.publisher else 0,
            progress_at_ms=None if progress_at is None else round(progress_at * 1000),
            at_ms=round(time.time() * 1000),
            started_at_ms=round(self.started_at * 1000),
        )


async def run(settings: WorkerSettings, arguments: argparse.Namespace, load: LoadModels) -> int:
    """Work until told to stop. Returns the exit code."""
    with ComputeThread() as compute, CrashNotes(arguments.notes) as notes:
        worker = Worker(
            settings, arguments.id, arguments.instance_id, compute, tuple(arguments.processors)
        )
        _stop_on_signals(worker)
        async with (
            _background(worker, _beat(worker)),
            answering(arguments.metrics, worker.exposed),
        ):
            crash_log = CrashLog(settings)
            crash_log.start()
            try:
                began_at = time.perf_counter()
                worker.models = await asyncio.to_thread(load, settings)
                worker.metrics.models_loaded(time.perf_counter() - began_at)
            except PackUnavailable as error:
                log.critical("no models: %s", error)
                write_beat(sys.stdout, Beat(state="failed", step_age_s=0, message=str(error)))
                return EXIT_NO_MODELS
            await _until_stopped(worker, _work(worker, worker.models, notes, crash_log))
    return EXIT_CRASHED if worker.failure else 0


async def _until_stopped(worker: Worker, work: Coroutine[object, object, None]) -> None:
    """Let a running worker stop in order; one that waits for Kafka still is not waited for."""
    working = asyncio.create_task(work)
    told = asyncio.create_task(worker.stop.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if worker.state == "starting" and not working.done():
        working.cancel()
        await asyncio.wait({working}, timeout=_START_CANCEL_S)
    else:
        await working


async def _work(worker: Worker, models: FaceModels, notes: CrashNotes, crash_log: CrashLog) -> None:
    settings = worker.settings
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(Producer(settings.librdkafka()))
        await stack.enter_async_context(crash_log)
        blobs = await stack.enter_async_context(BlobStore(settings))
        reader = await stack.enter_async_context(ImageReader(settings, blobs))
        worker.publisher = Publisher(
            producer,
            settings.topics,
            reply_topics=settings.allowed_reply_topics,
            source=f"/facestream/workers/{worker.worker_id}",
            metrics=worker.metrics,
        )
        own = OwnProcessors(worker.processors)
        processor = Processor(
            settings,
            images=ImageSource(reader, settings, notes),
            models=models,
            pipeline=Pipeline(models, settings),
            compute=worker.compute,
            publisher=worker.publisher,
            notes=notes,
            deaths=crash_log.deaths,
            metrics=worker.metrics,
            crowded=lambda: own.kept,
        )
        stack.callback(processor.close)
        if worker.processors:
            await stack.enter_async_context(_background(worker, own.keep()))
        await stack.enter_async_context(_background(worker, _say(worker, producer)))
        if settings.kafka_embedded:
            await join_together(notes.path, settings.max_workers)
        await _consume(worker, processor)
        worker.state = "stopped"
        await publish_status(producer, settings.topics, worker.status())


async def _consume(worker: Worker, processor: Processor) -> None:
    app = build_app(
        worker.settings,
        processor.handle,
        instance_id=worker.instance_id,
        crash=worker.crash,
        seconds_each=lambda: worker.compute.mean_s,
    )
    worker.app = app

    async def tell_of_rebalance(*_: Any, **__: Any) -> None:
        worker.metrics.rebalanced()
        worker.tell()

    app.on_partitions_assigned.connect(tell_of_rebalance)
    await app.start()
    _leave_out_of_collections()
    worker.state = "running"
    worker.tell()
    crashed = asyncio.create_task(app._crashed.wait())  # noqa: SLF001 - mode has no public wait
    stopped = asyncio.create_task(worker.stop.wait())
    await asyncio.wait({crashed, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if crashed.done():
        worker.crash(app.crash_reason or RuntimeError("Faust crashed and gave no reason"))
    for task in (crashed, stopped):
        task.cancel()
    worker.state = "stopping"
    await app.stop()
    for lane in app.lanes.values():
        await lane.cancel()


def _leave_out_of_collections() -> None:
    """What is there at the start stays: to look through all the modules of the models for garbage
    again and again takes 1 to 2 % of a busy worker."""
    gc.collect()
    gc.freeze()


async def _beat(worker: Worker) -> None:
    while True:
        beat = Beat(
            state=worker.state,
            partitions=len(worker.app.held) if worker.app and worker.app.assigned else None,
            step_age_s=worker.compute.step_age_s,
        )
        write_beat(sys.stdout, beat)
        await worker.until_told(_BEAT_S)


async def _say(worker: Worker, producer: Producer) -> None:
    while True:
        await publish_status(producer, worker.settings.topics, worker.status())
        await worker.until_told(worker.settings.heartbeat_interval_s)


@asynccontextmanager
async def _background(
    worker: Worker, coroutine: Coroutine[object, object, None]
) -> AsyncIterator[None]:
    """Run it beside the block; an error in it crashes the worker, never goes unseen."""

    def look(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            worker.crash(error)

    task = asyncio.create_task(coroutine)
    task.add_done_callback(look)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _stop_on_signals(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop.set)

    def watch_supervisor() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(worker.stop.set)
        # Nobody is left to kill a worker that does not come to its end.
        time.sleep(_ORPHAN_S)
        os._exit(EXIT_CRASHED)

    threading.Thread(target=watch_supervisor, name="supervisor-watch", daemon=True).start()


async def _run_and_exit(
    settings: WorkerSettings, arguments: argparse.Namespace, load: LoadModels
) -> None:
    code = await run(settings, arguments, load)
    sys.stdout.flush()
    # Neither Faust's threads nor a native library's step, which nobody waits for, may hold it up.
    os._exit(code)


def main(load: LoadModels = load_models) -> None:
    """The process's entry: reads the environment once. `load` gives it the models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True, help="how the worker is called on face.workers")
    parser.add_argument("--instance-id", help="stable over restarts, unique in the group")
    parser.add_argument("--notes", required=True, type=Path, help="file of what is in native code")
    parser.add_argument("--metrics", type=Path, help="Unix socket that tells the metrics")
    parser.add_argument(
        "--processors", nargs="*", type=int, default=[], help="its own, while all are busy"
    )
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s %(levelname)s {arguments.id} %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # One line for each partition at each rebalance is noise here: the app says what it holds.
    for noisy in ("aiokafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = WorkerSettings()
    cv2.setNumThreads(settings.threads_per_session)
    event_loop.run(_run_and_exit(settings, arguments, load))
