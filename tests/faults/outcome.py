"""What a fault cost: a row of the table that `make faults` prints and the README holds."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from tests.rig import Record


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """Events are counted by request id, duplicates by result id."""

    #: of the fault in the list; orders the table
    number: int
    fault: str
    events: int
    #: of them, those with a result
    settled: int
    #: results whose id another result has
    duplicates: int
    #: the longest silence in results once the fault was over; None where that means nothing
    recovered_s: float | None

    @property
    def lost(self) -> int:
        return self.events - self.settled

    @classmethod
    def measured(
        cls,
        number: int,
        fault: str,
        request_ids: Collection[str],
        records: Sequence[Record],
        *,
        since: float | None,
    ) -> Self:
        """Counted from what was read of the result topics.

        since: `time.monotonic()` when the fault was over, or when it began where the others were to
        go on during it.
        """
        wanted = set(request_ids)
        results = [record.result for record in records]
        times_of_each = Counter(result.id for result in results if result.request_id in wanted)
        return cls(
            number,
            fault,
            events=len(wanted),
            settled=len(wanted & {result.request_id for result in results}),
            duplicates=times_of_each.total() - len(times_of_each),
            recovered_s=None if since is None else longest_silence_s(records, since),
        )


def longest_silence_s(records: Sequence[Record], since: float) -> float:
    """Between two results that came after `since`, or until the first of them.

    Raises AssertionError when none came: then the fault was not in the middle.
    """
    arrivals = sorted(record.arrived_at for record in records if record.arrived_at >= since)
    assert arrivals, "all was done before the fault was over"
    return max(later - earlier for earlier, later in itertools.pairwise([since, *arrivals]))
