"""Images that come again: their faces are remembered, and computed once when they come at once."""

from __future__ import annotations

import asyncio
import pickle
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from schemas.results import Face
from schemas.topics import Operation
from stream.metrics import WorkerMetrics


class Asked(NamedTuple):
    """What faces depend on, in a process whose models stay the same."""

    image_sha256: str
    operation: Operation
    max_faces: int


class Repeats:
    """The faces of at most `limit_bytes`; those that were not asked for the longest go first.

    With a limit of 0 nothing is remembered and nobody waits for another.
    """

    def __init__(self, limit_bytes: int, metrics: WorkerMetrics) -> None:
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._size_bytes = 0
        self._kept: OrderedDict[Asked, bytes] = OrderedDict()
        self._computing: dict[tuple[Asked, int], asyncio.Event] = {}

    async def faces(
        self, asked: Asked, priority: int, compute: Callable[[], Awaitable[list[Face]]]
    ) -> list[Face]:
        """Those that are remembered, or that an equal computation of this priority is about to
        give, or else what `compute` gives. Raises what that raises; errors are not remembered."""
        if not self._limit_bytes:
            return await compute()
        # not across priorities: who is urgent would wait behind all others with what he waits for
        place = (asked, priority)
        while (kept := self._kept.get(asked)) is None:
            first = self._computing.get(place)
            if first is None:
                self._metrics.not_remembered()
                return await self._first(place, compute)
            await first.wait()
        self._metrics.remembered()
        self._kept.move_to_end(asked)
        faces: list[Face] = pickle.loads(kept)  # noqa: S301 - bytes of this process alone
        return faces

    async def _first(
        self, place: tuple[Asked, int], compute: Callable[[], Awaitable[list[Face]]]
    ) -> list[Face]:
        done = self._computing[place] = asyncio.Event()
        try:
            faces = await compute()
            self._keep(place[0], pickle.dumps(faces))
        finally:
            del self._computing[place]
            done.set()
        return faces

    def _keep(self, asked: Asked, faces: bytes) -> None:
        if len(faces) > self._limit_bytes:
            return
        self._size_bytes += len(faces) - len(self._kept.pop(asked, b""))
        self._kept[asked] = faces
        while self._size_bytes > self._limit_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size_bytes -= len(oldest)
