"""A request goes to the worker that has the fewest in hand, and there to an idle partition."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import pytest

from http_edge.load_balancer import LoadBalancer

A, B = [0, 2, 4], [1, 3]


@pytest.fixture
def balancer() -> LoadBalancer:
    return LoadBalancer()


def test_those_at_once_are_shared_out_evenly(balancer: LoadBalancer) -> None:
    with ExitStack() as waiting:
        placed = [waiting.enter_context(balancer.placed([A, B])) for _ in range(8)]
    assert sorted(Counter(number for number in placed if number in A).values()) == [1, 1, 2]
    assert sorted(Counter(number for number in placed if number in B).values()) == [2, 2]


def test_a_worker_that_does_not_answer_is_given_no_more_while_another_does(
    balancer: LoadBalancer,
) -> None:
    with balancer.placed([A, B]) as unanswered:
        for _ in range(6):
            with balancer.placed([A, B]) as partition:
                assert (partition in A) != (unanswered in A)


def test_between_equals_chance_decides(balancer: LoadBalancer) -> None:
    placed = set()
    for _ in range(200):
        with balancer.placed([A, B]) as partition:
            placed.add(partition)
    assert placed == {*A, *B}


def test_one_that_failed_or_was_given_up_waits_no_more(balancer: LoadBalancer) -> None:
    with balancer.placed([[1]]):
        for _ in range(3):
            with pytest.raises(TimeoutError), balancer.placed([[0], [1]]) as partition:
                raise TimeoutError
            assert partition == 0


def test_what_moves_to_another_worker_counts_there(balancer: LoadBalancer) -> None:
    with balancer.placed([[0]]), balancer.placed([[0, 1], [2]]) as partition:
        assert partition == 2


@pytest.mark.parametrize("shares", [[], [[]], [[], []]])
def test_while_the_partitions_are_shared_out_the_key_leads(
    balancer: LoadBalancer, shares: list[list[int]]
) -> None:
    with balancer.placed(shares) as partition:
        assert partition is None
