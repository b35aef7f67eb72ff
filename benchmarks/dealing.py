"""Which partition an image of a batch goes to.

A worker computes what lies in its partitions. Over a backlog of millions each partition has its
share of large and of small photographs; over a few hundred, chance would give one worker more to do
than the other, and that would be measured instead.
"""

from __future__ import annotations

from collections.abc import Sequence


def dealt(sizes: Sequence[int], partitions: int, workers: int) -> list[int]:
    """A partition for each size: large and small alike, to partitions and to their workers.

    `partitions` are to be a multiple of `workers`. Ordered by size they are dealt to and fro, one
    worker's share after the other's, were they held as they are numbered or in turn.
    """
    held = partitions // workers
    turns = [worker * held + number for number in range(held) for worker in range(workers)]
    turns += turns[::-1]
    chosen = [0] * len(sizes)
    for turn, place in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        chosen[place] = turns[turn % len(turns)]
    return chosen
