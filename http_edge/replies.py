"""The table of pending replies: who waits for which answer. No I/O."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from http_edge.metrics import EdgeMetrics
from schemas.results import Result

_HALF_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class PendingReply:
    """A caller's wait. `correlation_id`: 16 random bytes, the first half the edge's own."""

    request_id: str
    correlation_id: bytes
    result: asyncio.Future[Result]
    since: float


class PendingReplies:
    """Correlation id → the caller who waits. An entry lives as long as its `with` block.

    Several edges may read one partition: a reply belongs to who knows its correlation id. That
    begins with bytes that each edge draws at its start, which is how a late reply of its own is
    told from a stranger's without remembering what was asked.
    """

    def __init__(self, metrics: EdgeMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._own = secrets.token_bytes(_HALF_BYTES)
        self._pending: dict[bytes, PendingReply] = {}

    def __len__(self) -> int:
        return len(self._pending)

    @contextmanager
    def expect(self, request_id: str) -> Iterator[PendingReply]:
        """A wait for one reply; whatever ends the block takes it out of the table."""
        correlation_id = self._own + secrets.token_bytes(_HALF_BYTES)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        pending = PendingReply(request_id, correlation_id, result, self._clock())
        self._pending[correlation_id] = pending
        self._metrics.pending(len(self._pending))
        try:
            yield pending
        finally:
            self._pending.pop(correlation_id, None)
            self._metrics.pending(len(self._pending))
            result.cancel()

    def deliver(self, correlation_id: bytes | None, value: bytes | None) -> None:
        """Hand a reply to who waits for it. Others are counted and dropped."""
        if correlation_id is None or not correlation_id.startswith(self._own):
            self._metrics.unknown_reply()
            return
        pending = self._pending.get(correlation_id)
        if pending is None or pending.result.done():
            self._metrics.late_reply()
            return
        try:
            result = Result.model_validate_json(value or b"")
        except ValidationError:
            self._metrics.unknown_reply()
            return
        if result.request_id != pending.request_id:
            self._metrics.unknown_reply()
            return
        self._metrics.replied(self._clock() - pending.since)
        pending.result.set_result(result)
