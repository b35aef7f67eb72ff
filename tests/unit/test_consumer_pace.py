"""How often a consumer asks its brokers, and how long it lets them wait for events."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream.faust_kafka import Consumer
from tests.consumer_bench import a_consumer, an_app, started


@pytest.fixture
async def consumer() -> Consumer:
    return a_consumer(an_app())


async def test_a_broker_is_asked_again_once_half_of_what_is_in_hand_is_done(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer.app.lanes["interactive"].settled = 1
    in_hand, now_s = consumer.app.lanes["interactive"]._works, 100.0
    monkeypatch.setattr("stream.consumer_in_loop.time.monotonic", lambda: now_s)
    fetcher = SimpleNamespace(
        _get_actions_per_node=lambda nodes: ([(n, "fetch") for n in nodes], {}, 0.2, False, []),
        _records={},
    )
    await started(consumer, fetcher=fetcher)

    def asked(*nodes: int) -> tuple[list[int], Any]:
        fetches, resets, timeout_s, *others = fetcher._get_actions_per_node(nodes)
        assert (resets, others) == ({}, [False, []])
        return [node for node, _ in fetches], timeout_s

    in_hand[0] = None  # only counted
    assert asked(1) == ([1], 0.2)
    now_s += 0.004
    assert asked(1, 2) == ([2], pytest.approx(0.007))
    now_s += 0.0065
    assert asked(1, 2) == ([1], pytest.approx(0.0045))
    in_hand.clear()
    assert asked(1, 2) == ([1, 2], 0.2)
    for number in range(100):
        in_hand[number] = None
    assert asked(1) == ([], pytest.approx(0.011))


def test_a_broker_is_asked_less_often_while_no_caller_has_asked_or_not_for_a_while(
    consumer: Consumer,
) -> None:
    for number in range(100):
        consumer.app.lanes["bulk"]._works[number] = None
    assert consumer.app.fetch_pause_s == 0.05
    consumer.app.lanes["interactive"].settled = 1
    assert consumer.app.fetch_pause_s == 0.01
    consumer.app.lanes["interactive"].progress_at -= 5.1
    assert consumer.app.fetch_pause_s == 0.05
    consumer.app.lanes["bulk"]._works.clear()
    assert consumer.app.fetch_pause_s == 0


def test_a_broker_is_asked_less_often_while_callers_wait_for_others_anyway(
    consumer: Consumer,
) -> None:
    asked = consumer.app.lanes["interactive"]
    asked.settled = 1
    asked._works.update(dict.fromkeys(range(50)))  # only counted
    assert consumer.app.fetch_pause_s == 0.01  # all of them wait for their images
    asked.busy = 4
    assert consumer.app.fetch_pause_s == 0.04
    asked.busy = 16
    assert consumer.app.fetch_pause_s == 0.05


def test_the_embedded_broker_is_asked_at_once_by_who_has_answered_and_has_nothing_in_hand(
    consumer: Consumer,
) -> None:
    app, asked = consumer.app, consumer.app.lanes["interactive"]
    app.embedded = True
    assert app.fetch_pause_s == 0.01
    asked.settled = 1
    assert app.fetch_pause_s == 0.002
    app.lanes["bulk"]._works[0] = None  # only counted
    assert app.fetch_pause_s == 0.01
    app.lanes["bulk"]._works.clear()
    asked.progress_at -= 0.3
    assert app.fetch_pause_s == 0.01


async def test_a_broker_may_wait_while_what_was_fetched_lasts_and_nobody_asks(
    consumer: Consumer,
) -> None:
    bulk, asked = consumer.app.lanes["bulk"], consumer.app.lanes["interactive"]
    fetcher = SimpleNamespace(_get_actions_per_node=lambda _: ([], {}, 0.2, False, []), _records={})
    await started(consumer, fetcher=fetcher)

    def waits_ms() -> int:
        fetcher._get_actions_per_node(())
        return int(fetcher._fetch_max_wait_ms)

    assert waits_ms() == 100
    bulk._works.update(dict.fromkeys(range(10)))  # only counted
    bulk._waiting.extend([None] * 20)  # only counted
    assert waits_ms() == 300  # 30 events of 20 ms last twice as long
    bulk._waiting.extend([None] * 200)  # only counted
    assert waits_ms() == 500
    fetcher._records[TP(consumer.app.requests_topic, 0)] = b"not taken yet"
    assert waits_ms() == 100  # the same caller's next request is left out by this fetch
    fetcher._records.clear()
    fetcher._records[TP("face.images", 0)] = b"not taken yet"
    assert waits_ms() == 500
    asked._works[0] = None  # only counted
    assert waits_ms() == 100
    asked._works.clear()
    assert waits_ms() == 500
    asked.settled = 1
    assert waits_ms() == 100
    asked.progress_at -= 5.1
    assert waits_ms() == 500
    consumer.app.embedded = True
    assert waits_ms() == 0


async def test_what_was_taken_is_begun_before_a_broker_is_asked_again_half_of_the_time_at_most(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, taken = 100.0, {TP("face.requests", 0): ["a record"]}
    monkeypatch.setattr("stream.consumer_in_loop.time.monotonic", lambda: now_s)

    async def fetched_records(*_: Any, **__: Any) -> dict[TP, list[str]]:
        return taken

    fetcher = SimpleNamespace(
        _get_actions_per_node=lambda _: ([(1, "fetch")], {}, 0.2, False, []),
        _records={},
        _closed=False,
        _subscriptions=SimpleNamespace(fetch_context=nullcontext),
        fetched_records=fetched_records,
    )
    in_loop = await started(consumer, fetcher=fetcher)

    def asked() -> tuple[list[Any], Any]:
        fetches, _, timeout_s, *_ = fetcher._get_actions_per_node(())
        return fetches, timeout_s

    assert await in_loop.getmany(set(taken), 1.0) == taken
    assert asked() == ([], pytest.approx(0.003))
    now_s += 0.0021
    assert asked() == ([(1, "fetch")], 0.2)
    assert await in_loop.getmany(set(taken), 1.0) == taken  # so soon that it would never be asked
    assert asked() == ([(1, "fetch")], 0.2)
    now_s += 0.002
    assert await in_loop.getmany(set(taken), 1.0) == taken
    assert asked() == ([], pytest.approx(0.003))
    taken.clear()
    now_s += 0.01
    assert await in_loop.getmany(set(taken), 1.0) == {}
    assert asked() == ([(1, "fetch")], 0.2)
