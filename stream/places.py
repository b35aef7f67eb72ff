"""Places to fetch: bounded in all and by origin, so that a slow host delays only its like.

Who waits for a place of a host that serves nothing any more is sent away after a while; who waits
behind others that are served waits as long as it takes: that is a backlog, not a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from schemas.errors import EventTimedOut, FacestreamError


@dataclass(eq=False, slots=True)
class Origin:
    """A host, a bucket or the disk: its places, who waits for them, and when it last served."""

    name: str
    free: int
    patience_s: float
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    users: int = 0
    downloads: int = 0
    served_at: float = 0.0

    async def acquire(self) -> None:
        if self.free and not self.waiters:
            self.free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(place)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.release()  # the place came at the moment of the cancellation
            raise

    def release(self) -> None:
        while self.waiters:
            place = self.waiters.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.free += 1

    @contextmanager
    def download(self) -> Iterator[None]:
        """Around the download alone. Raises what it raises."""
        if not self.downloads:
            self.served_at = time.monotonic()
        self.downloads += 1
        try:
            yield
        except FacestreamError as error:
            if error.retryable:
                self._send_waiters_away_if_stuck()
            else:
                self.served_at = time.monotonic()
            raise
        else:
            self.served_at = time.monotonic()
        finally:
            self.downloads -= 1

    def _send_waiters_away_if_stuck(self) -> None:
        stuck_s = time.monotonic() - self.served_at
        if stuck_s < self.patience_s:
            return
        message = f"{self.name} has served nothing for {stuck_s:.0f} s, and its places are taken"
        while self.waiters:
            place = self.waiters.popleft()
            if not place.done():
                place.set_exception(EventTimedOut(message))


@dataclass(slots=True)
class FetchPlaces:
    """The places of one lane. `patience_s`: how long a host may serve nothing."""

    total: int
    per_origin: int
    patience_s: float
    _all: asyncio.Semaphore = field(init=False)
    _origins: dict[str, Origin] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._all = asyncio.Semaphore(self.total)

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[Origin]:
        """Hold one place of an origin and one of all. Raises `EventTimedOut`.

        The origin's place is taken first: who waits for a slow host holds none of the rest.
        """
        origin = self._origins.setdefault(name, Origin(name, self.per_origin, self.patience_s))
        origin.users += 1
        try:
            await origin.acquire()
            try:
                async with self._all:
                    yield origin
            finally:
                origin.release()
        finally:
            origin.users -= 1
            if not origin.users:
                del self._origins[name]
