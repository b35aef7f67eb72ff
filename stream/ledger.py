"""The acks of one partition, kept in the order of its offsets.

Faust's own bookkeeping loses events when acks come out of order; here only the head run of
settled offsets is handed on, whatever the order in which events settle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Entry:
    """An offset that was delivered, and how to ack it."""

    offset: int
    ack: Callable[[], None]
    settled: bool = False


@dataclass(eq=False, slots=True)
class Ledger:
    """Delivered offsets of one partition and generation, oldest first."""

    _entries: deque[Entry] = field(default_factory=deque)
    _newest: int | None = None

    def deliver(self, entry: Entry) -> bool:
        """Note an offset that is now in our hands. False: it was before, and counts no more.

        Faust may seek back to the committed offset while later ones are in work: a rebalance whose
        coordinator answers late ends so.
        """
        if self._newest is not None and entry.offset <= self._newest:
            return False
        self._newest = entry.offset
        self._entries.append(entry)
        return True

    def settle(self, entry: Entry) -> int:
        """Mark an entry settled and ack the settled run at the head; returns its length."""
        entry.settled = True
        acked = 0
        while self._entries and self._entries[0].settled:
            self._entries.popleft().ack()
            acked += 1
        return acked

    @property
    def newest_settled(self) -> int:
        """The offset of the newest that is settled and waits for an older one; -1 for none."""
        settled = (entry.offset for entry in reversed(self._entries) if entry.settled)
        return next(settled, -1)

    @property
    def span(self) -> int:
        """Entries from the oldest unsettled one to the newest: what a crash may repeat."""
        return len(self._entries)
