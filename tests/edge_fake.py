"""An edge on a socket of its own, whose gateway answers what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from pydantic import SecretStr

from http_edge.app import build_app
from http_edge.kafka import Gateway
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from http_edge.workers import HeardWorker
from schemas.requests import ImageRef
from schemas.results import ErrorInfo, ImageInfo, ModelInfo, Result, WorkerStatus
from schemas.topics import Operation
from stream.io.blobs import BlobStore

KEY = "a-key-for-tests"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
Client = TestClient[Request, Application]

#: one grey pixel
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080000000"
    "03a7e9b550000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gateway was asked."""

    operation: Operation
    image: ImageRef
    max_faces: int
    deadline_s: float | None
    traceparent: bytes | None


Answer = Callable[[Asked], Awaitable[Result]]


def status_of_worker(**changes: Any) -> WorkerStatus:
    status = WorkerStatus(
        id="host-1-0",
        host="host-1",
        pid=17,
        state="running",
        partitions={"face.images": [0, 1], "face.requests": [2]},
        models=ModelInfo(
            pack="buffalo_l", detector="det_10g@5838f7fe", recognizer="w600k_r50@4c06341c"
        ),
        in_flight=0,
        settled=3,
        replies_failed=0,
        progress_at_ms=1_764_000_000_000,
        at_ms=1_764_000_000_500,
        started_at_ms=1_763_999_990_000,
    )
    return status.model_copy(update=changes)


def failed(code: str, message: str = "in the worker's words") -> Result:
    return Result(
        id="r",
        request_id="q",
        operation="embed",
        status="failed",
        error=ErrorInfo(code=code, message=message),
        image=ImageInfo(uri=None, sha256=None, width=None, height=None),
        faces=[],
        model=None,
        timings_ms={},
    )


class FakeGateway(Gateway):
    """Answers at once with `result`, or raises it; or as `answer` says."""

    def __init__(self, result: Result | Exception) -> None:
        self.result = result
        self.answer: Answer = self._at_once
        self.asked: list[Asked] = []
        self.heard: list[HeardWorker] = [HeardWorker(status_of_worker(), 0.25, able=True)]
        self.is_ready = True
        self.waiting = 0
        self.changed = asyncio.Condition()

    async def ask(
        self,
        operation: Operation,
        image: ImageRef,
        *,
        max_faces: int = 1,
        deadline_s: float | None = None,
        traceparent: bytes | None = None,
    ) -> Result:
        asked = Asked(operation, image, max_faces, deadline_s, traceparent)
        self.asked.append(asked)
        await self._waits(+1)
        try:
            return await self.answer(asked)
        finally:
            await self._waits(-1)

    async def _waits(self, change: int) -> None:
        async with self.changed:
            self.waiting += change
            self.changed.notify_all()

    async def _at_once(self, asked: Asked) -> Result:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    @property
    def any_able(self) -> bool:
        return any(worker.able for worker in self.heard)

    @property
    def workers(self) -> Sequence[HeardWorker]:
        return self.heard

    @property
    def ready(self) -> bool:
        return self.is_ready

    @property
    def broker_up(self) -> bool:
        return self.is_ready

    @property
    def pending(self) -> int:
        return self.waiting

    async def until_waiting(self, callers: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting == callers)


@dataclass(slots=True)
class FakeEdge:
    """A running edge and what stands behind it."""

    client: Client
    gateway: FakeGateway
    metrics: EdgeMetrics
    settings: EdgeSettings
    blobs: BlobStore
    headers: dict[str, str] = field(default_factory=lambda: dict(AUTHORIZED))

    async def post(self, route: str, **how: Any) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of an answer to a POST with a key."""
        headers = {**self.headers, **how.pop("headers", {})}
        async with self.client.post(f"/api/v1/{route}", headers=headers, **how) as response:
            return response.status, await response.json(), dict(response.headers)

    async def get(self, path: str, **how: Any) -> tuple[int, Any, dict[str, str]]:
        async with self.client.get(path, **how) as response:
            return response.status, await response.json(), dict(response.headers)


@asynccontextmanager
async def fake_edge(
    folder: Path, result: Result | Exception, **changes: Any
) -> AsyncIterator[FakeEdge]:
    """`changes`: of its settings."""
    settings = EdgeSettings.model_validate(
        {"api_key": SecretStr(KEY), "blob_store_url": str(folder / "blobs"), **changes}
    )
    gateway, metrics = FakeGateway(result), EdgeMetrics()
    async with BlobStore(settings) as blobs:
        app = build_app(settings, gateway, blobs, metrics)
        server = TestServer(app)
        await server.start_server(access_log=None)
        async with TestClient(server) as client:
            yield FakeEdge(client, gateway, metrics, settings, blobs)
