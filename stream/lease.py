"""Whether a worker's partitions are still its own, as far as it can know by itself.

A worker that was frozen, or whose broker was, goes on where it stood. What it would begin or
publish then, others may have in hand since: each would be a duplicate.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable


class Lease:
    """Held for a session's length from the last word of this worker that its group took.

    `on_renewed` is called when it is held again after a time in which it was not.
    """

    def __init__(
        self,
        session_timeout_s: float = math.inf,
        *,
        on_renewed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session_timeout_s = session_timeout_s
        self._on_renewed = on_renewed
        self._now = now
        self._said_at = now()
        self._renewed = asyncio.Event()

    @property
    def held(self) -> bool:
        return self._now() - self._said_at < self._session_timeout_s

    def renew(self, said_at: float) -> None:
        """said_at: when the word was sent, and not when its answer was read: both may be frozen."""
        was_held = self.held
        self._said_at = max(self._said_at, said_at)
        if self.held:
            self._renewed.set()
            if not was_held:
                self._on_renewed()

    async def wait(self) -> None:
        """Return when it is held."""
        while not self.held:
            self._renewed.clear()
            await self._renewed.wait()
