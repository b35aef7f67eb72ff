"""Which partition a request goes to: one of the worker that has the fewest of ours in hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class LoadBalancer:
    """Least outstanding requests: counts those of this edge that wait for a reply, by partition.

    A random partition would have two callers wait for one worker while another has nothing to do,
    and would give as much to a worker that hangs as to one that answers. Between equals chance
    decides: several edges, each with a caller or two, would agree on one worker otherwise.
    """

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()

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
        idlest = min(held, key=lambda share: (self._in_hand(share), _chance()))
        partition = min(idlest, key=lambda one: (self._waiting[one], _chance()))
        self._waiting[partition] += 1
        try:
            yield partition
        finally:
            self._waiting[partition] -= 1

    def _in_hand(self, share: Sequence[int]) -> int:
        return sum(self._waiting[partition] for partition in share)


def _chance() -> float:
    return random.random()  # noqa: S311 - it spreads, and hides nothing
