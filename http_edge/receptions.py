"""Places for bodies that arrive. When all are taken, the slowest caller gives up its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from http_edge.errors import Overloaded, UploadTimedOut
from http_edge.limits import Places

#: no body is called slow before it had so long
_GRACE_S = 0.5
#: slower bodies give way to new ones where there is no place: 56k modems were faster
_SLOW_BYTES_A_SECOND = 4096
#: how long a new body waits for its place
_PATIENCE_S = 1.0


@dataclass(slots=True, eq=False)
class Reception:
    """One body on its way in."""

    since: float
    timeout: asyncio.Timeout
    received_bytes: int = 0
    ousted: bool = False

    def rate(self, now: float) -> float:
        """Bytes a second since it began."""
        return self.received_bytes / max(now - self.since, 1e-3)


class Receptions:
    """`async with receptions.take() as reception:` bounds how many, and each one's time."""

    def __init__(self, places: int, timeout_s: float, on_change: Callable[[int], None]) -> None:
        self._places = Places(places, on_change)
        self._timeout_s = timeout_s
        self._active: set[Reception] = set()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Reception]:
        """Raises `Overloaded` where there is no place, `UploadTimedOut` out of the block."""
        async with AsyncExitStack() as place:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    if not self._places.free:
                        await self._oust_the_slowest()
                    await place.enter_async_context(self._places.wait())
            except TimeoutError:
                raise Overloaded("Too many uploads at once") from None
            async with self._within_time() as reception:
                yield reception

    @asynccontextmanager
    async def _within_time(self) -> AsyncIterator[Reception]:
        now = asyncio.get_running_loop().time()
        reception = Reception(now, asyncio.timeout(self._timeout_s))
        self._active.add(reception)
        try:
            async with reception.timeout:
                yield reception
        except TimeoutError:
            if reception.ousted:
                raise UploadTimedOut("The body arrives too slowly") from None
            raise UploadTimedOut(f"The body did not arrive within {self._timeout_s:g} s") from None
        finally:
            self._active.discard(reception)

    async def _oust_the_slowest(self) -> None:
        """Returns when a place is free, or will be in a moment. Raises `Overloaded`."""
        loop = asyncio.get_running_loop()
        while not self._places.free:
            now = loop.time()
            slow = [
                reception
                for reception in self._active
                if not reception.ousted and reception.rate(now) < _SLOW_BYTES_A_SECOND
            ]
            if not slow:
                raise Overloaded("Too many uploads at once")
            had = [now - reception.since for reception in slow]
            if max(had) < _GRACE_S:
                await asyncio.sleep(_GRACE_S - max(had))
                continue
            old = [reception for reception in slow if now - reception.since >= _GRACE_S]
            slowest = min(old, key=lambda reception: reception.rate(now))
            slowest.ousted = True
            slowest.timeout.reschedule(now)
            return
