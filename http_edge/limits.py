"""How much at once: places for images and uploads, memory for bodies, requests of a key."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from http_edge.errors import Overloaded, RateLimited


class Places:
    """A bounded number of places, each held for a `with` block. `on_change`: how many are held."""

    def __init__(self, size: int, on_change: Callable[[int], None] = lambda _: None) -> None:
        self._semaphore = asyncio.Semaphore(size)
        self._on_change = on_change
        self._held = 0

    @property
    def free(self) -> bool:
        """Whether `take` would succeed now."""
        return not self._semaphore.locked()

    @asynccontextmanager
    async def take(self, what: str) -> AsyncIterator[None]:
        """A place at once, or `Overloaded`."""
        if not self.free:
            raise Overloaded(f"Too many {what} at once")
        async with self.wait():
            yield

    @asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """A place when one is free, first come, first served."""
        async with self._semaphore:
            self._held += 1
            self._on_change(self._held)
            try:
                yield
            finally:
                self._held -= 1
                self._on_change(self._held)


class BodyMemory:
    """The bytes of all bodies that are held at once: slow and large ones are many at the worst."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @contextmanager
    def share(self) -> Iterator[BodyShare]:
        """One request's part, given back when the `with` block ends."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            share.give_back()

    def claim(self, size_bytes: int) -> None:
        """Negative: given back. Raises `Overloaded`."""
        if self._held_bytes + size_bytes > self._limit_bytes:
            raise Overloaded("Too many bytes are being received")
        self._held_bytes += size_bytes


class BodyShare:
    """What one request holds of `BodyMemory`."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._held_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Raises `Overloaded`."""
        self._memory.claim(size_bytes)
        self._held_bytes += size_bytes

    def give_back(self) -> None:
        """The bytes are kept no longer."""
        self._memory.claim(-self._held_bytes)
        self._held_bytes = 0


class RateLimit:
    """A token bucket for each key: a minute's requests may come at once, then at their rate.

    `clock`: seconds, monotonic.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, key: int) -> None:
        """Count one request of a key. Raises `RateLimited`."""
        if not self._per_minute:
            return
        now = self._clock()
        tokens, at = self._buckets.get(key, (float(self._per_minute), now))
        a_second = self._per_minute / 60
        tokens = min(float(self._per_minute), tokens + (now - at) * a_second)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            raise RateLimited(
                f"More than {self._per_minute} requests a minute",
                retry_after_s=max(1, math.ceil((1 - tokens) / a_second)),
            )
        self._buckets[key] = (tokens - 1, now)
