"""An event's image → its bytes → its pixels: with places, retries and time limits."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from schemas.errors import DeadlinePassed, FacestreamError, FetchTimeout
from schemas.requests import Request
from schemas.results import ImageInfo
from schemas.wire import RequestHeaders
from stream.crash_notes import CrashNotes
from stream.event import Event
from stream.images import ImageReader, check_sha256, open_photograph, public_uri
from stream.io.thread_names import name_thread
from stream.lanes import Work
from stream.photograph import Photograph
from stream.places import FetchPlaces
from stream.settings import WorkerSettings

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


#: in compute, kept there until others can be told with them (stream/compute.py), or unconfirmed
RESULT_PLACES = 8
#: an unconfirmed result is a duplicate when the broker comes back without the group; a confirmation
#: takes milliseconds, so that a few are enough
UNCONFIRMED_PLACES = 4


class LanePlaces:
    """The places of one lane: to fetch, to wait for another try, for decoded images, for what is
    computed until the broker has confirmed it, and for what is sent and not yet confirmed.
    """

    def __init__(self, name: str, settings: WorkerSettings) -> None:
        self.fetch = FetchPlaces(
            settings.fetch_places, settings.fetch_places_per_origin, settings.event_timeout_s
        )
        self.retry = asyncio.Semaphore(settings.retry_places)
        self.decoded = asyncio.Semaphore(settings.decoded_places)
        self.results = asyncio.Semaphore(RESULT_PLACES)
        self.unconfirmed = asyncio.Semaphore(UNCONFIRMED_PLACES)
        decoders = f"decode-{name}"
        self.decoders = ThreadPoolExecutor(
            settings.decode_threads, decoders, initializer=name_thread, initargs=(decoders,)
        )


@dataclass(slots=True)
class Job:
    """A request in work, and what is known of its image so far."""

    event: Event
    request: Request
    headers: RequestHeaders
    deadline_s: float | None
    """Epoch seconds, the allowance included."""
    image: ImageInfo
    suspect: bool = False
    """A worker died while it was in native code: it is run alone."""
    timings_ms: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        event: Event,
        request: Request,
        headers: RequestHeaders,
        allowance_s: float,
        *,
        suspect: bool = False,
    ) -> Self:
        """A job at its start: nothing is known of its image but its address."""
        deadline_ms = headers.deadline_ms
        deadline_s = None if deadline_ms is None else deadline_ms / 1000 + allowance_s
        uri = None if request.image.uri is None else public_uri(request.image.uri)
        image = ImageInfo(uri=uri, sha256=None, width=None, height=None)
        job = cls(event, request, headers, deadline_s, image, suspect)
        if event.timestamp_ms is not None:
            job.timings_ms["queue"] = max(0.0, time.time() * 1000 - event.timestamp_ms)
        return job

    def check_deadline(self) -> None:
        """Raises `DeadlinePassed` once nobody waits any more."""
        if self.deadline_s is not None and time.time() > self.deadline_s:
            raise DeadlinePassed("the deadline passed before the image was computed")

    def seconds_left(self) -> float | None:
        """Until the deadline; `None` where there is none."""
        return None if self.deadline_s is None else max(0.0, self.deadline_s - time.time())


class ImageSource:
    """Fetches and decodes within one worker's bounds."""

    def __init__(self, reader: ImageReader, settings: WorkerSettings, notes: CrashNotes) -> None:
        self._reader = reader
        self._notes = notes
        self._settings = settings

    @asynccontextmanager
    async def fetched(self, work: Work, job: Job, places: LanePlaces) -> AsyncIterator[bytes]:
        """The image's bytes. A place for what is decoded of them is held until the block ends.

        Raises leaves of `ImageError`, `EventTimedOut`, `DeadlinePassed`.
        """
        ref = job.request.image
        if ref.data is not None:
            await places.decoded.acquire()
        else:
            with work.park():
                data = await self._fetch_until_decodable(job, places)
        try:
            if ref.data is not None:
                data = ref.decode_data()
            yield data
        finally:
            places.decoded.release()

    async def decoded_ahead(self, job: Job, data: bytes, places: LanePlaces) -> Photograph:
        """What `decode` gives, in a thread of the lane's own."""
        return await asyncio.get_running_loop().run_in_executor(
            places.decoders, self.decode, job, data
        )

    def decode(self, job: Job, data: bytes) -> Photograph:
        """The photograph; the job knows then what the image is. Blocks.

        Raises leaves of `ImageError`, `DeadlinePassed`.
        """
        job.check_deadline()
        settings, started_at = self._settings, time.perf_counter()
        sha256 = check_sha256(data, job.request.image)
        job.image = job.image.model_copy(update={"sha256": sha256})
        with self._notes.noted(job.event.position, alone=job.suspect):
            photograph = open_photograph(data, settings.max_image_pixels, settings.enough_px)
        job.timings_ms["decode"] = (time.perf_counter() - started_at) * 1000
        size = {"width": photograph.width, "height": photograph.height}
        job.image = job.image.model_copy(update=size)
        return photograph

    async def _fetch_until_decodable(self, job: Job, places: LanePlaces) -> bytes:
        """The bytes, with a decoded place taken; until then the place to fetch is kept.

        So what was fetched and not yet decoded is bounded by the places to fetch.
        """
        if job.deadline_s is None:
            return await self._fetch_with_retries(job, places, None)
        try:
            async with asyncio.timeout(job.seconds_left()) as limit:
                return await self._fetch_with_retries(job, places, limit)
        except TimeoutError:
            job.check_deadline()
            raise DeadlinePassed("the deadline passed while the image was fetched") from None

    async def _fetch_with_retries(
        self, job: Job, places: LanePlaces, limit: asyncio.Timeout | None
    ) -> bytes:
        origin_name = self._reader.origin(job.request.image)
        timeouts = 0
        first_try_at: float | None = None
        for attempt in itertools.count():
            async with places.fetch.take(origin_name) as origin:
                first_try_at = first_try_at or time.monotonic()
                try:
                    with origin.download():
                        data = await self._fetch(job)
                except FacestreamError as error:
                    timeouts += isinstance(error, FetchTimeout)
                    tried_s = time.monotonic() - first_try_at
                    if not self._worth_another_try(error, timeouts, tried_s):
                        raise
                else:
                    if limit is not None:
                        limit.reschedule(None)
                    await places.decoded.acquire()
                    return data
            async with places.retry:
                await asyncio.sleep(min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
        raise AssertionError("unreachable: the loop ends by return or raise")

    def _worth_another_try(self, error: FacestreamError, timeouts: int, tried_s: float) -> bool:
        return (
            error.retryable
            and timeouts < self._settings.max_fetch_timeouts
            and tried_s < self._settings.event_timeout_s
        )

    async def _fetch(self, job: Job) -> bytes:
        started_at = time.perf_counter()
        data = await self._reader.fetch(job.request.image)
        job.timings_ms["fetch"] = (time.perf_counter() - started_at) * 1000
        return data
