"""A lane admits, settles, acks in order and says when to stop fetching."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from stream.event import Event, Partition
from stream.lanes import Lane, LaneLimits, Work
from stream.lease import Lease


@dataclass
class Bench:
    """A lane whose events end when the test says so."""

    limits: LaneLimits = field(default_factory=LaneLimits)
    acked: list[tuple[int, int]] = field(default_factory=list)
    full: list[Partition] = field(default_factory=list)
    dropped: list[Partition] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    ends: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    works: dict[int, Work] = field(default_factory=dict)
    parked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lane = Lane(
            name="bulk",
            limits=self.limits,
            handle=self._handle,
            on_full=self.full.append,
            on_drop=self.dropped.append,
            crash=self.crashes.append,
        )

    async def _handle(self, work: Work) -> None:
        offset = work.event.offset
        self.started.append(offset)
        self.works[offset] = work
        self.ends[offset] = asyncio.get_running_loop().create_future()
        if offset in self.parked:
            with work.park():
                await self.ends[offset]
        else:
            await self.ends[offset]

    def deliver(self, *offsets: int, partition: int = 0, generation: int = 1) -> None:
        for offset in offsets:
            self.lane.deliver(self._event(offset, partition, generation))

    def _event(self, offset: int, partition: int, generation: int) -> Event:
        ack: Callable[[], None] = lambda: self.acked.append((offset, generation))  # noqa: E731
        return Event("face.images", partition, offset, None, b"{}", (), None, lane="bulk", ack=ack)

    async def end(self, *offsets: int) -> None:
        for offset in offsets:
            self.ends[offset].set_result(None)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_no_more_than_the_busy_places_are_started() -> None:
    bench = Bench(LaneLimits(busy=2))
    bench.deliver(0, 1, 2)
    await asyncio.sleep(0)
    assert bench.started == [0, 1]
    await bench.end(1)
    assert bench.started == [0, 1, 2]
    assert bench.acked == []
    await bench.end(0)
    assert bench.acked == [(0, 1), (1, 1)]


async def test_events_that_wait_for_their_image_take_no_busy_place() -> None:
    bench = Bench(LaneLimits(busy=1), parked={0, 1, 2})
    bench.deliver(0, 1, 2, 3, 4)
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.started == [0, 1, 2, 3]
    await bench.end(3)
    assert bench.started == [0, 1, 2, 3, 4]
    assert bench.acked == []


async def test_a_partition_with_enough_in_hand_is_no_longer_fetched_until_it_drains() -> None:
    bench = Bench(LaneLimits(busy=1, waiting_full=3, waiting_low=1))
    bench.deliver(0, 1, 2)
    await asyncio.sleep(0)
    assert bench.full == []
    bench.deliver(3)
    assert bench.full == [Partition("face.images", 0)]
    await bench.end(0)
    assert bench.dropped == []
    await bench.end(1)
    assert bench.dropped == [Partition("face.images", 0)]
    await bench.lane.cancel()


async def test_a_full_partition_that_is_fetched_all_the_same_is_stopped_again() -> None:
    bench = Bench(LaneLimits(busy=1, waiting_full=1, waiting_low=0))
    bench.deliver(0, 1)
    assert bench.full == [Partition("face.images", 0)]
    bench.deliver(2)
    assert bench.full == [Partition("face.images", 0)] * 2
    await bench.lane.cancel()


async def test_the_span_behind_an_unsettled_event_is_bounded() -> None:
    bench = Bench(LaneLimits(busy=10, span=3))
    bench.deliver(0, 1, 2)
    await asyncio.sleep(0)
    await bench.end(1, 2)
    assert bench.full == [Partition("face.images", 0)]
    assert bench.dropped == []
    await bench.end(0)
    assert bench.dropped == [Partition("face.images", 0)]


async def test_the_bytes_that_wait_are_bounded_over_all_partitions() -> None:
    bench = Bench(LaneLimits(busy=1, waiting_bytes=4))
    bench.deliver(0, partition=0)
    await asyncio.sleep(0)
    bench.deliver(1, partition=1)
    bench.deliver(2, partition=2)
    assert bench.full == [Partition("face.images", 2)]
    await bench.end(0)
    assert bench.dropped == [Partition("face.images", 2)]
    await bench.lane.cancel()


async def test_an_event_that_comes_again_joins_its_work_and_acks_the_newer_delivery() -> None:
    bench = Bench()
    bench.deliver(5, generation=1)
    await asyncio.sleep(0)
    bench.lane.forget_deliveries()
    bench.deliver(5, generation=2)
    await bench.end(5)
    assert bench.started == [5]
    assert bench.acked == [(5, 2)]


async def test_what_ends_after_a_revocation_acks_nothing() -> None:
    bench = Bench()
    bench.deliver(5, 6)
    await asyncio.sleep(0)
    bench.lane.forget_deliveries()
    await bench.end(5, 6)
    assert bench.acked == []


async def test_what_is_delivered_again_before_a_revocation_is_not_done_again() -> None:
    bench = Bench()
    bench.deliver(5, 6)
    await asyncio.sleep(0)
    await bench.end(5)
    bench.deliver(5, 6, 7)
    await asyncio.sleep(0)
    await bench.end(6, 7)
    assert bench.started == [5, 6, 7]
    assert bench.acked == [(5, 1), (6, 1), (7, 1)]

    bench.lane.forget_deliveries()
    bench.deliver(6, generation=2)
    await asyncio.sleep(0)
    await bench.end(6)
    assert bench.acked[-1] == (6, 2)


async def test_work_for_partitions_that_another_worker_holds_is_stopped() -> None:
    bench = Bench()
    bench.deliver(0, partition=0)
    bench.deliver(1, partition=1)
    await asyncio.sleep(0)
    bench.lane.abandon_others({Partition("face.images", 1)})
    for _ in range(3):
        await asyncio.sleep(0)
    assert bench.ends[0].cancelled()
    assert not bench.ends[1].done()
    assert bench.lane.in_flight == 1
    await bench.lane.cancel()


async def test_draining_waits_for_what_is_busy_and_leaves_what_is_parked() -> None:
    bench = Bench(parked={1})
    bench.deliver(0, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    drained = asyncio.create_task(bench.lane.drain(5.0))
    await asyncio.sleep(0)
    assert not drained.done()
    bench.deliver(2)
    await bench.end(0)
    await asyncio.wait_for(drained, 1)
    assert bench.ends[1].cancelled()
    assert bench.lane.in_flight == 0
    assert bench.started == [0, 1]
    bench.lane.forget_deliveries()
    bench.deliver(2)
    await asyncio.sleep(0)
    assert bench.started == [0, 1, 2]
    await bench.lane.cancel()


@pytest.mark.parametrize("settled_before", [True, False])
async def test_draining_waits_for_what_is_parked_when_a_newer_event_could_not_be_acked(
    settled_before: bool,
) -> None:
    bench = Bench(parked={0})
    bench.deliver(0, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    if settled_before:
        await bench.end(1)
    drained = asyncio.create_task(bench.lane.drain(5.0))
    await asyncio.sleep(0)
    await bench.end(*([] if settled_before else [1]))
    assert not drained.done()
    await bench.end(0)
    await asyncio.wait_for(drained, 1)
    assert bench.acked == [(0, 1), (1, 1)]


async def test_without_the_lease_draining_gives_up_what_is_not_sent_and_waits_for_nothing() -> None:
    """A lease that comes back in the midst of the rebalance finds nothing that could be sent: its
    ack would count for nothing, and the event would be done again."""
    bench = Bench()
    bench.deliver(0, 1)
    await asyncio.sleep(0)
    bench.works[0].sending = True
    bench.lane.lease = Lease(session_timeout_s=0)
    await asyncio.wait_for(bench.lane.drain(5.0), 1)
    assert bench.ends[1].cancelled()
    assert bench.lane.in_flight == 1
    bench.lane.lease = Lease()
    bench.lane.forget_deliveries()
    bench.deliver(0, 1, generation=2)
    await asyncio.sleep(0)
    assert bench.started == [0, 1, 1], "what is sent is not done again, and what is not is"
    await bench.end(0, 1)
    assert bench.acked == [(0, 2), (1, 2)]


async def test_a_lane_that_is_closing_takes_nothing_in_whatever_a_rebalance_brings() -> None:
    bench = Bench()
    bench.deliver(0)
    await asyncio.sleep(0)
    bench.lane.closing = True
    drained = asyncio.create_task(bench.lane.drain(5.0))
    await bench.end(0)
    await asyncio.wait_for(drained, 1)
    bench.lane.forget_deliveries()
    bench.deliver(1)
    await asyncio.sleep(0)
    assert bench.started == [0]
    assert bench.acked == [(0, 1)]


async def test_an_error_that_leaves_an_event_unsettled_crashes_the_worker() -> None:
    bench = Bench()
    bench.deliver(0)
    await asyncio.sleep(0)
    bench.ends[0].set_exception(RuntimeError("beyond repair"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert [str(error) for error in bench.crashes] == ["beyond repair"]
    assert bench.acked == []


async def test_what_waits_is_not_started_when_what_is_in_work_is_cancelled() -> None:
    bench = Bench(LaneLimits(busy=1))
    bench.deliver(0, 1, 2)
    await asyncio.sleep(0)
    await bench.lane.cancel()
    bench.deliver(3)
    await asyncio.sleep(0)
    assert bench.started == [0]
    assert bench.lane.in_flight == 0
    assert bench.acked == []
