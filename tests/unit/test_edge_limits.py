"""Places, memory and rates of the edge, with a clock of our own where time matters."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from http_edge.errors import Overloaded, RateLimited, UploadTimedOut
from http_edge.limits import BodyMemory, Places, RateLimit
from http_edge.receptions import Receptions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_place_is_taken_at_once_or_not_at_all() -> None:
    held: list[int] = []
    places = Places(1, held.append)
    async with places.take("images"):
        with pytest.raises(Overloaded, match="Too many images"):
            async with places.take("images"):
                pass
    assert places.free
    assert held == [1, 0]


async def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places(1)
    with pytest.raises(ZeroDivisionError):
        async with places.take("images"):
            raise ZeroDivisionError
    task = asyncio.create_task(_hold(places))
    await asyncio.sleep(0)
    assert not places.free
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert places.free


async def test_who_waits_comes_before_who_asks_later() -> None:
    places = Places(1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(places.take("images"))
        waiting = asyncio.create_task(_hold(places))
        await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        async with places.take("images"):
            pass
    waiting.cancel()


def test_the_memory_of_bodies_is_bounded_and_given_back() -> None:
    memory = BodyMemory(100)
    with memory.share() as first:
        first.add(60)
        with memory.share() as second:
            second.add(40)
            with pytest.raises(Overloaded):
                second.add(1)
        first.add(40)
        first.give_back()
        with memory.share() as third:
            third.add(100)
    with memory.share() as last:
        last.add(100)


def test_a_rate_allows_a_minutes_worth_at_once_and_then_its_pace() -> None:
    clock = Clock()
    rate = RateLimit(60, clock)
    for _ in range(60):
        rate.take(0)
    with pytest.raises(RateLimited) as caught:
        rate.take(0)
    assert caught.value.retry_after_s == 1
    rate.take(1)
    clock.now += 1.0
    rate.take(0)
    with pytest.raises(RateLimited):
        rate.take(0)
    clock.now += 3600
    for _ in range(60):
        rate.take(0)
    with pytest.raises(RateLimited):
        rate.take(0)


def test_a_slow_rate_says_how_long_to_wait() -> None:
    clock = Clock()
    rate = RateLimit(1, clock)
    rate.take(0)
    clock.now += 15.5
    with pytest.raises(RateLimited) as caught:
        rate.take(0)
    assert caught.value.retry_after_s == 45


def test_no_rate_is_no_limit() -> None:
    rate = RateLimit(0)
    for _ in range(1000):
        rate.take(0)


async def test_a_fast_body_does_not_give_way() -> None:
    receptions = Receptions(1, 30, lambda _: None)
    async with receptions.take() as reception:
        reception.received_bytes = 10_000_000
        with pytest.raises(Overloaded):
            async with receptions.take():
                pass


async def test_the_slowest_body_gives_way_and_is_told_so() -> None:
    receptions = Receptions(2, 30, lambda _: None)
    ends: dict[str, str] = {}

    async def receive(name: str, received_bytes: int) -> None:
        try:
            async with receptions.take() as reception:
                reception.received_bytes = received_bytes
                await asyncio.sleep(3600)
        except UploadTimedOut as error:
            ends[name] = str(error)

    tasks = [asyncio.create_task(receive("slow", 10)), asyncio.create_task(receive("slower", 1))]
    await asyncio.sleep(0)
    async with receptions.take():
        assert ends == {"slower": "The body arrives too slowly"}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(places: Places) -> None:
    async with places.wait():
        await asyncio.sleep(3600)
