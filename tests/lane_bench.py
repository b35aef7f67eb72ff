"""A lane, its processor and its places, real; the reader, the models and the publisher not."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import cv2
import numpy as np
import orjson

from schemas.requests import ImageRef
from schemas.results import Box, Face, ModelInfo, Result
from schemas.topics import Operation
from stream.compute import ComputeThread
from stream.crash_notes import CrashNotes
from stream.event import Event, LaneName, Position
from stream.fetching import RESULT_PLACES, UNCONFIRMED_PLACES, ImageSource, LanePlaces
from stream.images import ImageReader
from stream.lanes import Lane, LaneLimits
from stream.metrics import WorkerMetrics
from stream.models.loading import FaceModels
from stream.outcome import Outcome
from stream.photograph import Photograph
from stream.pipeline import Pipeline
from stream.processing import Processor
from stream.publisher import Publisher
from stream.settings import WorkerSettings

MODEL = ModelInfo(pack="synthetic", detector="det@00000000")
FACE = Face(bbox=Box(1, 2, 3, 4), confidence=0.9, landmarks_5=None)


def png(width: int = 6, height: int = 4) -> bytes:
    """A grey image of a few dozen bytes."""
    encoded, data = cv2.imencode(".png", np.full((height, width, 3), 128, np.uint8))
    assert encoded
    return data.tobytes()


@dataclass
class FakeReader:
    """Answers with what it was told: bytes, an error, or bytes once a gate is open."""

    answers: defaultdict[str, deque[bytes | Exception]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0

    def origin(self, ref: ImageRef) -> str:
        return "inline" if ref.uri is None else ref.uri.rpartition("/")[0]

    async def fetch(self, ref: ImageRef) -> bytes:
        assert ref.uri is not None
        self.fetched.append(ref.uri)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if ref.uri in self.gates:
                await self.gates[ref.uri].wait()
            answers = self.answers[ref.uri]
            answer = answers.popleft() if answers else png()
        finally:
            self.now -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakePipeline:
    """Finds one face in every image; in one of the widths in `errors`, it raises instead."""

    errors: dict[int, Exception] = field(default_factory=dict)
    #: widths of the images that were computed, as they came
    computed: list[int] = field(default_factory=list)
    #: while it is closed, no step ends
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def info_for(self, _operation: Operation) -> ModelInfo:
        return MODEL

    def steps(
        self,
        photograph: Photograph,
        _operation: Operation,
        _max_faces: int,
        timings_ms: dict[str, float],
    ) -> Generator[None, None, list[Face]]:
        width = photograph.width
        self.computed.append(width)
        assert self.gate.wait(5)
        timings_ms["detect"] = 1.0
        yield
        if width in self.errors:
            raise self.errors[width]
        return [FACE]


@dataclass
class FakePublisher:
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    #: raised by the next publications
    errors: deque[Exception] = field(default_factory=deque)

    async def publish(self, event: Event, outcome: Outcome) -> None:
        if self.errors:
            raise self.errors.popleft()
        self.outcomes[event.offset] = outcome


class Bench:
    """`with Bench(folder, deadline_allowance_s=0.5) as bench:` one lane of one worker."""

    def __init__(self, folder: Path, lane: LaneName = "bulk", busy: int = 16, **given: Any) -> None:
        self.settings = WorkerSettings(**given)
        self.reader = FakeReader()
        self.pipeline = FakePipeline()
        self.publisher = FakePublisher()
        self.metrics = WorkerMetrics()
        self.deaths: Counter[Position] = Counter()
        self.acked: list[int] = []
        self.crashes: list[BaseException] = []
        #: all processors compute
        self.crowded = False
        self.compute = ComputeThread()
        self._notes = CrashNotes(folder / "notes")
        self.processor = Processor(
            self.settings,
            images=ImageSource(cast(ImageReader, self.reader), self.settings, self._notes),
            models=cast(FaceModels, self.pipeline),
            pipeline=cast(Pipeline, self.pipeline),
            compute=self.compute,
            publisher=cast(Publisher, self.publisher),
            notes=self._notes,
            deaths=lambda position: self.deaths[position],
            metrics=self.metrics,
            crowded=lambda: self.crowded,
        )
        self.lane = Lane(
            name=lane,
            limits=LaneLimits(busy=busy),
            handle=self.processor.handle,
            on_full=lambda _partition: None,
            on_drop=lambda _partition: None,
            crash=self.crashes.append,
        )
        self._lane_name = lane
        self._next_offset = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._notes)
        self._stack.enter_context(self.compute)
        self._stack.callback(self.processor.close)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.pipeline.gate.set()
        self._stack.close()

    @property
    def places(self) -> LanePlaces:
        return self.processor._places[self._lane_name]

    def deliver(
        self,
        request: dict[str, Any] | bytes | None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> int:
        """Returns the offset."""
        offset = self._next_offset
        self._next_offset += 1
        value = orjson.dumps(request) if isinstance(request, dict) else request
        event = Event(
            "face.images",
            0,
            offset,
            None,
            value,
            headers,
            None,
            self._lane_name,
            ack=lambda: self.acked.append(offset),
        )
        self.lane.deliver(event)
        return offset

    def fetch(self, uri: str, headers: tuple[tuple[str, bytes | None], ...] = ()) -> int:
        """Deliver a request for an address. Returns the offset."""
        return self.deliver({"operation": "detect", "image": {"uri": uri}}, headers)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - the code under test has no event to wait for
                await asyncio.sleep(0.001)

    async def settled(self, offset: int) -> Result:
        """Its result, once it is published. Raises what the lane crashed with."""
        outcomes = self.publisher.outcomes
        await self.until(lambda: offset in outcomes or bool(self.crashes))
        if self.crashes:
            raise self.crashes[0]
        result = outcomes[offset].result
        assert result is not None
        return result

    async def failure(self, offset: int) -> str:
        """The code that it failed with."""
        result = await self.settled(offset)
        assert result.status == "failed"
        assert result.error is not None
        return result.error.code

    def assert_all_free(self) -> None:
        """Every place is given back, and no event is in work."""
        assert self.lane.in_flight == 0
        assert self.lane.busy == 0
        assert self.places.decoded._value == self.settings.decoded_places
        assert self.places.results._value == RESULT_PLACES
        assert self.places.unconfirmed._value == UNCONFIRMED_PLACES
        assert self.places.retry._value == self.settings.retry_places
        assert self.places.fetch._all._value == self.settings.fetch_places
        assert not self.places.fetch._origins
