"""aiokafka's consumer in the app's loop: it leaves its group, and tells of heartbeats and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.group import LeaveGroupRequest

from stream.consumer_in_loop import ConsumerInLoop
from tests.consumer_bench import a_consumer, an_app, started


class Group:
    """In the place of aiokafka's side of the group."""

    generation, coordinator_id, group_id, member_id = 3, 7, "group", "member"

    def __init__(self) -> None:
        self._group_instance_id: str | None = "slot-0"
        self.left_as: list[str | None] = []
        self.sent: list[tuple[int, Any]] = []
        #: what closing raises, or how long it waits for the group
        self.closing: BaseException | float = 0
        self.takes_heartbeats = True

    async def close(self) -> None:
        if isinstance(self.closing, BaseException):
            raise self.closing
        await asyncio.sleep(self.closing)
        self.left_as.append(self._group_instance_id)

    async def send(self, node: int, request: Any) -> None:
        self.sent.append((node, request))

    async def _do_heartbeat(self) -> bool:
        return self.takes_heartbeats


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
async def consumer(group: Group) -> ConsumerInLoop:
    made = await started(a_consumer(an_app()), group=group)
    made._consumer._client = group
    return made


async def test_what_faust_calls_in_its_thread_runs_in_this_loop(consumer: ConsumerInLoop) -> None:
    async def awaited(number: int, *, more: int) -> tuple[int, object]:
        return number + more, asyncio.get_running_loop()

    def called() -> object:
        return asyncio.get_running_loop()

    here = asyncio.get_running_loop()
    assert await consumer.call_thread(awaited, 1, more=2) == (3, here)
    assert await consumer.call_thread(called) is here


async def test_one_with_a_stable_instance_id_leaves_too(
    consumer: ConsumerInLoop, group: Group
) -> None:
    await consumer.leave()
    assert group.left_as == [None]


@pytest.mark.parametrize("closing", [60.0, KafkaConnectionError("away")])
async def test_a_group_that_does_not_come_to_an_end_is_left_at_once(
    consumer: ConsumerInLoop,
    group: Group,
    closing: BaseException | float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.consumer_in_loop._LEAVE_S", 0.01)
    group.closing = closing
    async with asyncio.timeout(2):
        await consumer.leave()
    assert group.left_as == []
    [(node, request)] = group.sent
    assert node == group.coordinator_id
    assert isinstance(request, LeaveGroupRequest)


async def test_a_group_that_was_never_joined_is_not_left(consumer: ConsumerInLoop) -> None:
    consumer._consumer = None
    await consumer.leave()


async def test_the_lease_is_renewed_as_of_when_a_heartbeat_was_sent_that_the_group_takes(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat: Callable[[], Awaitable[bool]] = group._do_heartbeat
    now_s = 100.0

    async def slow() -> bool:
        nonlocal now_s
        now_s += 3
        return await heartbeat()

    group._do_heartbeat = slow  # type: ignore[method-assign]
    monkeypatch.setattr("stream.consumer_in_loop.time.monotonic", lambda: now_s)
    app = an_app()
    renewed: list[float] = []
    monkeypatch.setattr(app.lease, "renew", renewed.append)
    await started(a_consumer(app), group=group)
    assert await group._do_heartbeat()
    group.takes_heartbeats = False
    assert not await group._do_heartbeat()
    assert renewed == [100.0]


async def test_positions_and_ends_are_those_that_are_known(consumer: ConsumerInLoop) -> None:
    read, new = TopicPartition("face.images", 0), TopicPartition("face.images", 1)
    states = {
        read: SimpleNamespace(has_valid_position=True, position=5, highwater=9),
        new: SimpleNamespace(has_valid_position=False, highwater=None),
    }
    assignment = SimpleNamespace(tps=frozenset(states), state_value=states.__getitem__)
    subscription = SimpleNamespace(assignment=assignment)
    consumer._consumer._subscription = SimpleNamespace(subscription=subscription)
    assert consumer.positions_and_ends() == {read: (5, 9), new: (None, None)}
    subscription.assignment = None
    assert consumer.positions_and_ends() == {}


async def test_a_poll_that_waits_for_records_is_woken(consumer: ConsumerInLoop) -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    consumer._consumer._fetcher = SimpleNamespace(_fetch_waiters={waiting, done})
    consumer.wake_poll()
    async with asyncio.timeout(1):
        await waiting
