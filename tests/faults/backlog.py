"""Workers under a backlog: all events are published at once, and the fault comes in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stream.event import Partition, Position
from tests.brokers import Broker
from tests.faults.commits import GroupLog, group_log
from tests.faults.outcome import FaultOutcome
from tests.rig import Record, Rig, by_reference

#: results that the prototype gave twice, at most, in each of its cases
MOST_DUPLICATES = 16
#: seconds from a fault's end to results again, at most, in each of the prototype's cases
LONGEST_RECOVERY_S = 2.0

#: an event costs some 40 ms in one of two processes; this is a machine with other things to do
_EVENTS_PER_S = 10
_REDELIVERED_S = 60
_COMMITTED_S = 15
#: of all events, those that are not settled while the backlog is to last
_LASTING_SHARE = 0.3


@dataclass(slots=True)
class Backlog:
    """The workers, and where each event stands, by request id."""

    rig: Rig
    photographs: Sequence[Path]
    positions: dict[str, Position] = field(default_factory=dict)
    #: what the broker kept of the group; filled when all is settled
    log: GroupLog = field(default_factory=lambda: GroupLog((), ()))

    @property
    def records(self) -> list[Record]:
        """The results of these events, as they came, duplicates included."""
        records = self.rig.outputs.results
        return [record for record in records if record.result.request_id in self.positions]

    async def publish(self, events: int) -> None:
        """So many more, or a few above, dealt to the partitions in whole turns."""
        turn, first = self.rig.broker.partitions, len(self.positions)
        events += -events % turn
        requests = [
            by_reference(self.photographs[number % len(self.photographs)]) | {"id": f"{number}"}
            for number in range(first, first + events)
        ]
        await self.rig.publish(requests)
        for number in range(first, first + events):
            where = Position(self.rig.topics.images, number % turn, number // turn)
            self.positions[f"{number}"] = where

    @asynccontextmanager
    async def lasting(self) -> AsyncIterator[None]:
        """More is published while the block lasts, as fast as it is worked off: how long a worker
        takes to start depends on the machine."""
        keeping_up = asyncio.create_task(self._keep_up(len(self.positions) // 2))
        try:
            yield
        finally:
            keeping_up.cancel()
            await asyncio.gather(keeping_up, return_exceptions=True)

    async def _keep_up(self, more: int) -> None:
        while True:
            left = len(self.positions) - len(self.rig.outputs.results)
            if left < _LASTING_SHARE * len(self.positions):
                await asyncio.shield(self.publish(more))
            await asyncio.sleep(0.1)

    async def worked_off(self, share: float) -> None:
        """Wait until so much of it has results; there is more, or the fault shows nothing."""
        events = len(self.positions)
        wait_s = events / _EVENTS_PER_S + _REDELIVERED_S
        what = f"{share:.0%} of {events} results"
        outputs = self.rig.outputs
        await outputs.until(lambda: len(outputs.results) >= events * share, wait_s, what)
        self.assert_in_the_middle()

    def assert_in_the_middle(self) -> None:
        """Enough is left to be done after the fault to show what it did."""
        assert len(self.rig.outputs.results) < len(self.positions) * 0.9, "the fault came too late"

    async def outcome(self, number: int, fault: str, since: float) -> FaultOutcome:
        """Wait until all is settled and committed, as long as that may take; then count.

        since: as in `FaultOutcome.measured`.
        """
        outputs = self.rig.outputs
        wait_s = len(self.positions) / _EVENTS_PER_S + _REDELIVERED_S
        with contextlib.suppress(AssertionError):  # what is missing will be in the row
            await outputs.settled(self.positions, wait_s)
            await outputs.until(self._committed, _COMMITTED_S, "the last commits")
        self.log = group_log(self.rig.broker)
        return FaultOutcome.measured(number, fault, self.positions, self.records, since=since)

    def _committed(self) -> bool:
        return group_log(self.rig.broker).of(self.rig.topics.images).ends == self._ends

    @property
    def _ends(self) -> dict[Partition, int]:
        ends: defaultdict[Partition, int] = defaultdict(int)
        for topic, number, offset in self.positions.values():
            ends[Partition(topic, number)] = max(ends[Partition(topic, number)], offset + 1)
        return dict(ends)

    def assert_none_lost(self, outcome: FaultOutcome, duplicates: int = MOST_DUPLICATES) -> None:
        """Each event has its one result, repeated only so often, and was committed afterwards."""
        assert outcome.lost == 0
        ids_of: defaultdict[str, set[str]] = defaultdict(set)
        settled_at_ms: dict[Position, int] = {}
        for record in self.records:
            result = record.result
            assert result.status in {"ok", "no_face"}, result.error
            ids_of[result.request_id].add(result.id)
            position = self.positions[result.request_id]
            at_ms = settled_at_ms.get(position, record.sent_at_ms)
            settled_at_ms[position] = min(at_ms, record.sent_at_ms)
        assert {len(ids) for ids in ids_of.values()} == {1}, "a duplicate has another result id"
        log = self.log.of(self.rig.topics.images)
        assert log.ahead_of(settled_at_ms) == [], "committed before it had a result"
        assert log.steps_back() == [], "a late commit went over its successor's"
        assert log.ends == self._ends, "not all is committed"
        assert not self.rig.outputs.rejected
        assert outcome.duplicates <= duplicates


@asynccontextmanager
async def backlog(
    broker: Broker, shared: Path, events: int, *, workers: int = 2
) -> AsyncIterator[Backlog]:
    """Real workers and weights, and so many events of photographs, published at once.

    Spread over the partitions in turn, on topics that hold nothing yet.
    """
    lfw = shared / "faces" / "lfw"
    environ = {
        "IMAGE_SOURCES": f"{lfw.as_uri()}/",
        "EMOTION_ENGINE": "off",
        # the photographs have 250 pixels: more than they need, so that work lasts
        "DET_SIZE": "480",
        "DET_SIZE_MODE": "fixed",
        "HEARTBEAT_INTERVAL_S": "0.5",
    }
    async with Rig(broker, workers=workers, environ=environ) as rig:
        fleet = Backlog(rig, sorted(lfw.rglob("*.jpg")))
        began_at = time.monotonic()
        await fleet.publish(events)
        settled = len(rig.outputs.results)
        took_s = time.monotonic() - began_at
        assert settled < events / 10, f"no backlog: {settled} of {events} settled in {took_s:.1f} s"
        yield fleet
