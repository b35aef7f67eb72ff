"""Places to fetch: bounded in all and by origin, so that a slow host delays only its like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Origin:
    semaphore: asyncio.Semaphore
    users: int = 0


@dataclass(slots=True)
class FetchPlaces:
    """A place of the origin is taken first: who waits for a slow host holds none of the rest."""

    total: int
    per_origin: int
    _all: asyncio.Semaphore = field(init=False)
    _origins: dict[str, _Origin] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._all = asyncio.Semaphore(self.total)

    @asynccontextmanager
    async def take(self, origin: str) -> AsyncIterator[None]:
        """Hold one place of `origin` and one of all."""
        places = self._origins.setdefault(origin, _Origin(asyncio.Semaphore(self.per_origin)))
        places.users += 1
        try:
            async with places.semaphore, self._all:
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._origins[origin]
