"""One event, from its bytes to what becomes of it. It never raises for what an event is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack

from schemas.errors import CrashedWorker, FacestreamError, InferenceFailed, InvalidRequest
from schemas.requests import parse_request
from schemas.results import Face
from schemas.topics import OPERATIONS
from schemas.wire import RequestHeaders, parse_headers, usable_reply_address
from stream.compute import URGENT, ComputeThread
from stream.crash_notes import CrashNotes
from stream.event import LaneName, Position
from stream.fetching import ImageSource, Job, LanePlaces
from stream.io.formats import format_of
from stream.io.producer import SendFailed
from stream.lanes import Work
from stream.metrics import WorkerMetrics
from stream.models.loading import FaceModels
from stream.outcome import Outcome, failed, invalid, succeeded, unpublishable
from stream.photograph import Photograph
from stream.pipeline import Pipeline
from stream.publisher import Publisher
from stream.repeats import Asked, Repeats
from stream.settings import WorkerSettings

log = logging.getLogger(__name__)

#: A JPEG of so many, decoded in turn, keeps who is more urgent waiting for a tenth of a second. A
#: file of another format may unfold to any number of pixels, each of which is made.
_IN_TURN_BYTES = 2 * 1024 * 1024
#: in the compute thread; lower goes first
PRIORITIES: dict[LaneName, int] = {"interactive": URGENT, "bulk": URGENT + 1}


class Processor:
    """What a lane hands its events to."""

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        images: ImageSource,
        models: FaceModels,
        pipeline: Pipeline,
        compute: ComputeThread,
        publisher: Publisher,
        notes: CrashNotes,
        deaths: Callable[[Position], int],
        metrics: WorkerMetrics,
        crowded: Callable[[], bool],
    ) -> None:
        """crowded: whether all processors compute, so that none would decode ahead."""
        self._settings = settings
        self._images = images
        self._model_infos = {operation: models.info_for(operation) for operation in OPERATIONS}
        self._pipeline = pipeline
        self._compute = compute
        self._publisher = publisher
        self._notes = notes
        self._deaths = deaths
        self._crowded = crowded
        self._repeats = Repeats(settings.result_cache_bytes, metrics)
        self._places = {name: LanePlaces(name, settings) for name in PRIORITIES}

    async def handle(self, work: Work) -> None:
        """Settle one event: it returns when what became of it is confirmed by the broker."""
        async with AsyncExitStack() as until_confirmed:
            outcome = await self._outcome(work, until_confirmed)
            async with self._places[work.event.lane].unconfirmed:
                await work.until_sendable()
                await self._publish(work, outcome)

    async def _publish(self, work: Work, outcome: Outcome) -> None:
        try:
            await self._publisher.publish(work.event, outcome)
        except SendFailed:
            raise
        except Exception as error:
            # A worker that died of this defect would be given the event again, and die again.
            log.exception("what became of event %s cannot be published", work.event.position)
            reason = InferenceFailed(f"internal: {type(error).__name__}")
            await self._publisher.publish(work.event, unpublishable(outcome, reason))

    async def _outcome(self, work: Work, until_confirmed: AsyncExitStack) -> Outcome:
        event = work.event
        headers = RequestHeaders(reply=usable_reply_address(event.headers))
        try:
            headers = parse_headers(event.headers)
            request = parse_request(event.value)
        except InvalidRequest as error:
            return invalid(event, headers, error)
        deaths = self._deaths(event.position)
        job = Job.of(
            event, request, headers, self._settings.deadline_allowance_s, suspect=deaths > 0
        )
        try:
            self._check_deaths(deaths)
            faces = await self._faces(work, job, until_confirmed)
            return succeeded(
                event,
                request,
                headers,
                image=job.image,
                faces=faces,
                model=self._model_infos[request.operation],
                timings_ms=job.timings_ms,
            )
        except FacestreamError as error:
            return self._failure(job, error)
        except Exception as error:
            # A defect of ours, or of a library's: this event fails with it, its neighbours go on.
            log.exception("event %s failed", event.position)
            return self._failure(job, InferenceFailed(f"internal: {type(error).__name__}"))

    def _check_deaths(self, deaths: int) -> None:
        if deaths >= self._settings.max_attempts:
            raise CrashedWorker(f"{deaths} workers died while they computed it")

    async def _faces(self, work: Work, job: Job, until_confirmed: AsyncExitStack) -> list[Face]:
        job.check_deadline()
        lane = job.event.lane
        places = self._places[lane]
        priority, request = PRIORITIES[lane], job.request
        async with self._images.fetched(work, job, places) as data:
            if self._decodes_in_turn(data, priority):
                await until_confirmed.enter_async_context(places.results)
                return await self._compute.run(priority, lambda: self._all_steps(job, data))
            photograph = await self._images.decoded_ahead(job, data, places)
            await until_confirmed.enter_async_context(places.results)
            assert job.image.sha256 is not None  # what was decoded was read
            return await self._repeats.faces(
                Asked(job.image.sha256, request.operation, request.max_faces),
                priority,
                lambda: self._compute.run(priority, lambda: self._steps(job, photograph)),
            )

    def _decodes_in_turn(self, data: bytes, priority: int) -> bool:
        """In the compute thread, whose caches hold the pixels then: beside it, on a processor that
        computes anyway, decoding would only disturb it; where it has nothing to do, a caller would
        wait for another thread. What is remembered is known by its hash before it is computed.
        """
        return (
            (self._crowded() or (priority <= URGENT and self._compute.idle))
            and not self._settings.result_cache_bytes
            and len(data) <= _IN_TURN_BYTES
            and format_of(data) == "jpeg"
        )

    def _all_steps(self, job: Job, data: bytes) -> Generator[None, None, list[Face]]:
        photograph = self._images.decode(job, data)
        yield
        return (yield from self._steps(job, photograph))

    def _steps(self, job: Job, photograph: Photograph) -> Generator[None, None, list[Face]]:
        job.check_deadline()
        request = job.request
        steps = self._pipeline.steps(
            photograph, request.operation, request.max_faces, job.timings_ms
        )
        while True:
            with self._notes.noted(job.event.position, alone=job.suspect):
                try:
                    next(steps)
                except StopIteration as end:
                    faces: list[Face] = end.value
                    return faces
            yield

    def _failure(self, job: Job, error: FacestreamError) -> Outcome:
        return failed(
            job.event,
            job.request,
            job.headers,
            error,
            image=job.image,
            model=self._model_infos[job.request.operation],
            timings_ms=job.timings_ms,
        )

    def close(self) -> None:
        """Let go of the decoding threads."""
        for places in self._places.values():
            places.decoders.shutdown(wait=False, cancel_futures=True)
