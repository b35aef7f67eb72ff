"""Who follows results live: read from Kafka once for all of them, and only while there are any."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from http_edge.errors import LiveOff
from http_edge.limits import Places
from http_edge.live_reading import Flow, ResultReader
from http_edge.settings import EdgeSettings
from schemas.http import LiveMissed, LiveResult, LiveState

LiveMessage = LiveState | LiveMissed | LiveResult

#: results that wait for a listener who takes them slowly; then the oldest are dropped
WAITING = 50


class ResultSource(Protocol):
    """What `ResultReader` is to those who follow."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


class MakeSource(Protocol):
    def __call__(
        self,
        settings: EdgeSettings,
        *,
        on_following: Callable[[bool], None],
        on_flow: Callable[[Flow], None],
    ) -> ResultSource: ...


class Listener:
    """One who follows. What it does not take in time is dropped, the oldest first, and counted."""

    def __init__(self) -> None:
        self._waiting: deque[LiveResult] = deque()
        self._missed = 0
        self._state: LiveState | None = None
        self._told = asyncio.Event()
        self._closed = False

    def follows(self, following: bool) -> None:
        self._state = LiveState(following=following)
        self._told.set()

    def hear(self, flow: Flow) -> None:
        self._waiting.extend(flow.results)
        self._missed += flow.passed_over
        while len(self._waiting) > WAITING:
            self._waiting.popleft()
            self._missed += 1
        self._told.set()

    def close(self) -> None:
        self._closed = True
        self._told.set()

    async def next(self) -> list[LiveMessage]:
        """What is to be told now, at least one; nothing any more when the edge stops."""
        await self._told.wait()
        if self._closed:
            return []
        messages: list[LiveMessage] = [] if self._state is None else [self._state]
        messages += [LiveMissed(results=self._missed)] if self._missed else []
        messages += self._waiting
        self._state, self._missed = None, 0
        self._waiting.clear()
        self._told.clear()
        return messages


class Live:
    """`async with live.listen() as listener:` follows; the first one starts the reading."""

    def __init__(
        self,
        settings: EdgeSettings,
        on_change: Callable[[int], None],
        source: MakeSource = ResultReader,
    ) -> None:
        self._settings = settings
        self._make_source = source
        self._places = Places(settings.live_listeners, on_change)
        self._listeners: set[Listener] = set()
        self._source: ResultSource | None = None
        self._following = False

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """Raises `LiveOff` where it is switched off, `Overloaded` where too many follow."""
        if not self._settings.live_listeners:
            raise LiveOff("Results are not followed live here")
        async with self._places.take("listeners"):
            listener = Listener()
            listener.follows(self._following)
            self._listeners.add(listener)
            if self._source is None:
                self._start()
            try:
                yield listener
            finally:
                self._listeners.discard(listener)
                if not self._listeners:
                    await self._stop()

    def close(self) -> None:
        """End every listener's wait, for good."""
        for listener in self._listeners:
            listener.close()

    def _start(self) -> None:
        def on_following(following: bool) -> None:
            if self._source is source and following != self._following:
                self._following = following
                for listener in self._listeners:
                    listener.follows(following)

        def on_flow(flow: Flow) -> None:
            if self._source is source:
                for listener in self._listeners:
                    listener.hear(flow)

        # What an earlier one says while it ends is nobody's any more.
        source = self._make_source(self._settings, on_following=on_following, on_flow=on_flow)
        self._source = source
        source.start()

    async def _stop(self) -> None:
        source, self._source, self._following = self._source, None, False
        if source is not None:
            await source.stop()
