"""A consumer delivers each message of its share from the committed one on, whatever came before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from tests.consumer_bench import a_consumer, an_app

_TP = TP("face.images", 0)
_BATCH = 3


@dataclass
class Thread:
    """In the place of aiokafka's: one partition of a log, and what the group has committed."""

    messages: int
    committed: dict[TP, int] = field(default_factory=dict)
    position: int = 0
    away: int = 0
    #: held back by the test: a fetch that has read, and not yet returned
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    fetching: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.left = False

    async def leave(self) -> None:
        self.left = True

    def assignment(self) -> set[TP]:
        return {_TP}

    async def go_back(self) -> dict[TP, int]:
        if self.away:
            self.away -= 1
            raise KafkaConnectionError("away")
        self.position = self.committed.get(_TP, 0)
        return dict(self.committed)

    async def getmany(self, active: set[TP], timeout_s: float) -> dict[TP, list[Any]]:
        offsets = range(self.position, min(self.messages, self.position + _BATCH))
        self.position = offsets.stop
        self.fetching.set()
        await self.gate.wait()
        if not offsets:
            await asyncio.sleep(timeout_s)
        return {_TP: [_record(offset) for offset in offsets]}

    def verify_event_path(self, now: float, tp: TP) -> None:
        raise AssertionError("aiokafka has no position while the group is asked for one")

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.committed.update(offsets)
        return True


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic=_TP.topic,
        partition=_TP.partition,
        offset=offset,
        timestamp=None,
        timestamp_type=0,
        headers=(),
        key=None,
        value=b"{}",
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=2,
    )


class Bench:
    """A consumer whose group is the test."""

    def __init__(self, thread: Thread) -> None:
        self.app = an_app()
        self.thread = thread
        self.delivered: list[int] = []
        self.consumer = a_consumer(self.app, self._deliver)
        self.consumer._thread = thread
        self.app._consumer = self.consumer
        self.generation = 0

    async def _deliver(self, message: Any) -> None:
        self.delivered.append(message.offset)

    async def revoke(self) -> None:
        await self.consumer.on_partitions_revoked({_TP})

    async def assign(self) -> None:
        self.generation += 1
        self.app.consumer_generation_id = self.generation
        await self.consumer.on_partitions_assigned({_TP}, self.generation)

    def recover(self) -> None:
        """What Faust does at the end of a rebalance."""
        self.app.tables.recovery._generation_id = self.generation
        self.consumer.resume_flow()

    def message(self, offset: int) -> Any:
        return self.consumer._to_message(_TP, _record(offset))

    def new_share_from_here(self) -> None:
        self.delivered.clear()

    async def until(self, delivered: list[int]) -> None:
        async with asyncio.timeout(2):
            while self.delivered != delivered:
                assert self.delivered == delivered[: len(self.delivered)]
                await asyncio.sleep(0)


@asynccontextmanager
async def running(messages: int = 10, **thread: Any) -> AsyncIterator[Bench]:
    bench = Bench(Thread(messages, **thread))
    fetcher = SimpleNamespace(should_stop=False)
    drain = asyncio.create_task(bench.consumer._drain_messages(fetcher))
    try:
        yield bench
        assert not drain.done()
    finally:
        drain.cancel()
        with suppress(asyncio.CancelledError):
            await drain


async def test_a_share_begins_at_what_is_committed() -> None:
    async with running(committed={_TP: 4}) as bench:
        await bench.assign()
        bench.recover()
        await bench.until([4, 5, 6, 7, 8, 9])


@pytest.mark.parametrize("committed", [{}, {_TP: 1}])
async def test_what_a_fetch_brings_that_began_before_the_rebalance_is_read_anew(
    committed: dict[TP, int],
) -> None:
    async with running(committed=committed) as bench:
        await bench.assign()
        bench.thread.gate.clear()
        bench.recover()
        await bench.thread.fetching.wait()
        await bench.revoke()
        await bench.assign()
        bench.recover()
        bench.thread.gate.set()
        await bench.until(list(range(committed.get(_TP, 0), 10)))


async def test_a_recovery_of_the_share_before_takes_up_no_flow() -> None:
    async with running() as bench:
        await bench.assign()
        bench.recover()
        await bench.until(list(range(10)))
        bench.new_share_from_here()
        await bench.revoke()
        bench.consumer.resume_flow()
        await asyncio.sleep(0.01)
        await bench.assign()
        bench.consumer.resume_flow()
        await asyncio.sleep(0.01)
        assert bench.delivered == []
        bench.recover()
        await bench.until(list(range(10)))


async def test_what_agents_had_not_taken_up_comes_again_when_the_flow_is_taken_up_again() -> None:
    # Faust empties their queues then
    async with running() as bench:
        await bench.assign()
        bench.recover()
        await bench.until(list(range(10)))
        bench.new_share_from_here()
        bench.recover()
        await bench.until(list(range(10)))


async def test_an_ack_of_fausts_own_commits_nothing() -> None:
    # a stream of its Python acks what it skips: messages of a share before among them
    async with running() as bench:
        await bench.assign()
        bench.consumer.ack(bench.message(8))
        await bench.consumer.commit()
        assert bench.thread.committed == {}
        bench.consumer.done(bench.message(2))
        await bench.consumer.commit()
        assert bench.thread.committed == {_TP: 3}


async def test_what_is_done_is_committed_before_the_share_is_given_away_and_not_after() -> None:
    async with running() as bench:
        await bench.assign()
        late = bench.message(5)
        bench.consumer.done(bench.message(2))
        await bench.revoke()
        assert bench.thread.committed == {_TP: 3}
        await bench.assign()
        bench.consumer.done(late)
        await bench.consumer.commit()
        assert bench.thread.committed == {_TP: 3}


async def test_a_partition_whose_position_is_asked_for_is_no_crash() -> None:
    async with running() as bench:
        await bench.assign()
        await bench.consumer.verify_all_partitions_active()  # Faust does, twice a second


async def test_a_worker_that_stops_leaves_its_group_and_commits_nothing_after() -> None:
    async with running() as bench:
        await bench.assign()
        late = bench.message(5)
        bench.consumer.done(bench.message(2))
        await bench.consumer.settle_and_commit()
        await bench.consumer.leave()
        assert bench.thread.left
        bench.consumer.done(late)
        await bench.consumer.commit()
        assert bench.thread.committed == {_TP: 3}


async def test_a_group_that_cannot_be_asked_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.faust_kafka._AGAIN_S", 0.001)
    async with running(committed={_TP: 8}, away=3) as bench:
        await bench.assign()
        bench.recover()
        await bench.until([8, 9])
