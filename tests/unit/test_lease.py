"""Without its lease, or between two shares, a worker publishes nothing: others may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.event import Event, Partition
from stream.lease import Lease
from stream.outcome import Outcome
from tests.lane_bench import Bench

_SESSION_S = 6.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(clock: Clock, on_renewed: Callable[[], None] = lambda: None) -> Lease:
    return Lease(_SESSION_S, on_renewed=on_renewed, now=clock)


def test_it_is_held_for_a_session_from_the_last_heartbeat_that_was_taken() -> None:
    clock = Clock()
    own = lease(clock)
    assert own.held
    clock.now += _SESSION_S - 0.1
    assert own.held
    own.renew(clock.now)
    clock.now += _SESSION_S - 0.1
    assert own.held
    clock.now += 0.1
    assert not own.held


def test_a_heartbeat_counts_from_when_it_was_sent_however_late_its_answer_is_read() -> None:
    clock = Clock()
    own = lease(clock)
    sent_at = clock.now
    clock.now += 12
    own.renew(sent_at)
    assert not own.held


def test_an_older_word_takes_nothing_away() -> None:
    clock = Clock()
    own = lease(clock)
    own.renew(clock.now)
    own.renew(clock.now - 20)
    assert own.held


def test_who_waited_for_it_is_told_once_when_it_is_held_again() -> None:
    clock = Clock()
    told: list[float] = []
    own = lease(clock, lambda: told.append(clock.now))
    own.renew(clock.now)
    assert told == []
    clock.now += 12
    own.renew(clock.now)
    own.renew(clock.now)
    assert told == [clock.now]


async def test_waiting_ends_with_it_and_not_before() -> None:
    clock = Clock()
    own = lease(clock)
    await own.wait()
    clock.now += 12
    waiting = asyncio.create_task(own.wait())
    await asyncio.sleep(0)
    own.renew(clock.now - 8)
    await asyncio.sleep(0)
    assert not waiting.done()
    own.renew(clock.now)
    await waiting


async def test_a_lane_without_it_begins_nothing_and_publishes_nothing_until_it_is_back(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with Bench(tmp_path) as bench:
        bench.lane.lease = lease(clock, bench.lane.pump)
        bench.pipeline.gate.clear()
        begun = bench.fetch("file:///begun.png")
        await bench.until(lambda: bool(bench.pipeline.computed))
        clock.now += 12
        bench.pipeline.gate.set()
        waiting = bench.fetch("file:///waiting.png")
        await bench.until(lambda: bench.lane.waiting == 1)
        await asyncio.sleep(0.05)  # time in which it would have been published
        assert bench.publisher.outcomes == {}
        assert bench.reader.fetched == ["file:///begun.png"]
        bench.lane.lease.renew(clock.now)
        await bench.settled(begun)
        await bench.settled(waiting)
        assert bench.acked == [begun, waiting]
        bench.assert_all_free()


async def test_a_lane_without_it_gives_up_at_a_revocation_what_it_has_not_sent(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with Bench(tmp_path) as bench:
        bench.lane.lease = lease(clock)
        bench.pipeline.gate.clear()
        bench.fetch("file:///begun.png")
        await bench.until(lambda: bool(bench.pipeline.computed))
        clock.now += 12
        async with asyncio.timeout(1):
            await bench.lane.drain(60)
        assert bench.lane.in_flight == 0
        bench.lane.lease.renew(clock.now)
        bench.pipeline.gate.set()
        await asyncio.sleep(0.05)  # time in which it would have been published
        assert bench.publisher.outcomes == {}
        bench.assert_all_free()


async def test_what_was_sent_when_it_was_lost_stays_in_work_and_is_not_computed_again(
    tmp_path: Path,
) -> None:
    clock, confirmed = Clock(), asyncio.Event()
    with Bench(tmp_path) as bench:
        bench.lane.lease = lease(clock)
        publish, sent = bench.publisher.publish, []

        async def publish_once_confirmed(event: Event, outcome: Outcome) -> None:
            sent.append(event.offset)
            await confirmed.wait()
            await publish(event, outcome)

        bench.publisher.publish = publish_once_confirmed  # type: ignore[method-assign]
        offset = bench.fetch("file:///sent.png")
        await bench.until(lambda: sent == [offset])
        clock.now += 12
        await bench.lane.drain(60)
        assert bench.lane.in_flight == 1
        confirmed.set()
        await bench.settled(offset)
        assert sent == [offset]
        bench.assert_all_free()


@pytest.mark.parametrize("ours", [True, False])
async def test_what_a_drain_leaves_in_work_is_sent_once_it_is_known_to_be_ours_still(
    tmp_path: Path, ours: bool
) -> None:
    with Bench(tmp_path) as bench:
        bench.pipeline.gate.clear()
        offset = bench.fetch("file:///slow.png")
        await bench.until(lambda: bool(bench.pipeline.computed))
        await bench.lane.drain(0.01)
        bench.pipeline.gate.set()
        await asyncio.sleep(0.05)  # time in which it would have been published
        assert bench.publisher.outcomes == {}
        bench.lane.forget_deliveries()
        bench.lane.abandon_others({Partition("face.images", 0)} if ours else set())
        await bench.until(lambda: bench.lane.in_flight == 0)
        assert list(bench.publisher.outcomes) == ([offset] if ours else [])
        bench.assert_all_free()
