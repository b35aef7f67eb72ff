"""Which partition a request goes to: one of the worker that has the fewest of ours in hand."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Balance:
    """Counts the requests of this edge that wait for their replies, by partition.

    A random partition would have two callers wait for one worker while another has nothing to do,
    and would give as much to a worker that hangs as to one that answers.
    """

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()
        self._chosen_at: defaultdict[int, int] = defaultdict(int)
        self._turns = itertools.count(1)

    @contextmanager
    def placed(self, shares: Sequence[Sequence[int]]) -> Iterator[int | None]:
        """A partition for a request that waits as long as the block lasts.

        shares: the partitions of each worker that would answer. None where there are none: they
        are being shared out, and the request's key may lead it anywhere.
        """
        held = [share for share in shares if share]
        if not held:
            yield None
            return
        idlest = min(held, key=self._load)
        partition = min(idlest, key=self._use)
        self._chosen_at[partition] = next(self._turns)
        self._waiting[partition] += 1
        try:
            yield partition
        finally:
            self._waiting[partition] -= 1

    def _load(self, share: Sequence[int]) -> tuple[int, int]:
        """Of equal ones, the worker that was asked last: it is awake."""
        waiting = sum(self._waiting[partition] for partition in share)
        return waiting, -max(self._chosen_at[partition] for partition in share)

    def _use(self, partition: int) -> tuple[int, int]:
        return self._waiting[partition], self._chosen_at[partition]
