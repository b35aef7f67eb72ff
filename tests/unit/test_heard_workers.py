"""Which workers would answer: those that are heard, hold the interactive lane and move on."""

from __future__ import annotations

from typing import Any

import pytest

from http_edge.workers import HeardWorkers
from schemas import wire
from schemas.results import ModelInfo, WorkerStatus

REQUESTS = "face.requests"
MODELS = ModelInfo(pack="synthetic", detector="d@0")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heard(clock: Clock) -> HeardWorkers:
    return HeardWorkers(REQUESTS, interval_s=2, stalled_s=90, clock=clock)


def word(worker_id: str = "w", **changes: Any) -> bytes:
    status = WorkerStatus(
        id=worker_id,
        host="host",
        pid=1,
        state="running",
        partitions={REQUESTS: [0, 1], "face.images": [0]},
        models=MODELS,
        in_flight=0,
        settled=0,
        replies_failed=0,
        progress_at_ms=None,
        at_ms=0,
        started_at_ms=0,
    )
    return wire.dumps(status.model_copy(update=changes))


def test_nobody_is_able_before_anybody_was_heard(heard: HeardWorkers) -> None:
    assert not heard.any_able()
    assert heard.all == []


def test_a_worker_at_work_on_the_interactive_lane_is_able(
    heard: HeardWorkers, clock: Clock
) -> None:
    heard.hear(word())
    clock.now += 1.5
    assert heard.any_able()
    (worker,) = heard.all
    assert (worker.status.id, worker.age_s, worker.able) == ("w", 1.5, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "starting"},
        {"state": "stopping"},
        {"state": "stopped"},
        {"state": "failed"},
        {"models": None},
        {"partitions": {}},
        {"partitions": {REQUESTS: [], "face.images": [0, 1]}},
    ],
)
def test_one_that_would_not_answer_is_not_able(
    heard: HeardWorkers, changes: dict[str, Any]
) -> None:
    heard.hear(word(**changes))
    assert not heard.any_able()
    assert [worker.able for worker in heard.all] == [False]


def test_the_share_of_an_able_worker_is_what_it_says_of_the_partitions_that_there_are(
    heard: HeardWorkers,
) -> None:
    heard.hear(word("a", partitions={REQUESTS: [0, 2], "face.images": [1]}))
    heard.hear(word("b", partitions={REQUESTS: [-1, 1, 3, 4]}))
    heard.hear(word("c", partitions={REQUESTS: [5]}, state="stopping"))
    assert heard.shares(4) == [[0, 2], [1, 3]]


def test_a_worker_is_gone_after_three_missed_words(heard: HeardWorkers, clock: Clock) -> None:
    heard.hear(word())
    clock.now += 6.9
    assert heard.any_able()
    clock.now += 0.2
    assert not heard.any_able()
    assert [worker.able for worker in heard.all] == [False]


def test_one_that_says_that_it_stops_is_gone_at_once(heard: HeardWorkers) -> None:
    heard.hear(word())
    heard.hear(word(state="stopping"))
    assert not heard.any_able()


def test_a_moment_without_partitions_is_a_rebalance_and_a_longer_one_is_not(
    heard: HeardWorkers, clock: Clock
) -> None:
    heard.hear(word())
    clock.now += 2
    heard.hear(word(partitions={}))
    assert heard.any_able()
    for _ in range(3):
        clock.now += 2
        heard.hear(word(partitions={}))
    assert not heard.any_able()


def test_a_new_process_under_the_old_name_is_judged_by_its_own_words(heard: HeardWorkers) -> None:
    heard.hear(word())
    heard.hear(word(started_at_ms=1, partitions={}))
    assert not heard.any_able()


def test_work_that_comes_after_a_long_rest_is_no_standstill(
    heard: HeardWorkers, clock: Clock
) -> None:
    heard.hear(word(progress_at_ms=0))
    clock.now += 2
    heard.hear(word(progress_at_ms=0, in_flight=3))
    assert heard.any_able()


def test_a_worker_that_has_work_and_settles_nothing_is_not_able_any_more(
    heard: HeardWorkers, clock: Clock
) -> None:
    for _ in range(46):
        heard.hear(word(in_flight=1, settled=7))
        assert heard.any_able()
        clock.now += 2
    heard.hear(word(in_flight=1, settled=7))
    assert not heard.any_able()
    heard.hear(word(in_flight=1, settled=8))
    assert heard.any_able()


def test_one_able_worker_is_enough(heard: HeardWorkers) -> None:
    heard.hear(word("a", state="failed"))
    heard.hear(word("b"))
    assert heard.any_able()
    assert [(worker.status.id, worker.able) for worker in heard.all] == [("a", False), ("b", True)]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b"[]"])
def test_what_is_no_word_is_passed_over(heard: HeardWorkers, value: bytes | None) -> None:
    heard.hear(value)
    assert heard.all == []


def test_workers_that_are_long_gone_are_forgotten(heard: HeardWorkers, clock: Clock) -> None:
    for number in range(10):
        heard.hear(word(f"w{number}"))
        clock.now += 61
    assert [worker.status.id for worker in heard.all] == []
