"""Slow downloads delay only their like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from schemas.errors import EventTimedOut, FetchTimeout, ImageNotFound
from stream.places import FetchPlaces


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(1):
        while not condition():  # noqa: ASYNC110 - the code under test has no event to wait for
            await asyncio.sleep(0)


async def test_an_origin_takes_no_more_than_its_own_places() -> None:
    places = FetchPlaces(total=4, per_origin=2, patience_s=60)
    held: list[str] = []
    free = asyncio.Event()

    async def fetch(origin: str) -> None:
        async with places.take(origin):
            held.append(origin)
            await free.wait()

    slow = [asyncio.create_task(fetch("https://slow.example")) for _ in range(20)]
    await _until(lambda: len(held) == 2)
    quick = asyncio.create_task(fetch("https://quick.example"))
    await _until(lambda: "https://quick.example" in held)
    assert held.count("https://slow.example") == 2
    free.set()
    await asyncio.gather(quick, *slow)
    assert held.count("https://slow.example") == 20


async def test_origins_that_nobody_uses_are_forgotten() -> None:
    places = FetchPlaces(total=4, per_origin=2, patience_s=60)
    for number in range(100):
        async with places.take(f"https://host{number}.example"):
            pass
    assert not places._origins


async def test_who_waits_for_a_host_that_serves_nothing_is_sent_away() -> None:
    places = FetchPlaces(total=4, per_origin=1, patience_s=0)
    fails = asyncio.Event()

    async def slow() -> None:
        async with places.take("https://slow.example") as origin:
            with origin.download():
                await fails.wait()
                raise FetchTimeout("too slow")

    async def waiting() -> None:
        async with places.take("https://slow.example"):
            raise AssertionError("it got a place")

    downloading = asyncio.create_task(slow())
    await asyncio.sleep(0)
    waits = [asyncio.create_task(waiting()) for _ in range(5)]
    await asyncio.sleep(0)
    fails.set()
    outcomes = await asyncio.gather(downloading, *waits, return_exceptions=True)
    assert isinstance(outcomes[0], FetchTimeout)
    assert [type(outcome) for outcome in outcomes[1:]] == [EventTimedOut] * 5


async def test_who_waits_behind_others_that_are_served_waits_as_long_as_it_takes() -> None:
    places = FetchPlaces(total=4, per_origin=1, patience_s=0)

    async def served(error: Exception | None) -> str:
        async with places.take("https://busy.example") as origin:
            try:
                with origin.download():
                    await asyncio.sleep(0)
                    if error:
                        raise error
            except ImageNotFound:
                return "not there"
            await asyncio.sleep(0.001)
            return "served"

    gone = ImageNotFound("not there")
    outcomes = await asyncio.gather(*(served(gone if n % 3 == 0 else None) for n in range(9)))
    assert outcomes == ["not there", "served", "served"] * 3


async def test_a_waiter_that_is_cancelled_as_its_place_comes_gives_it_on() -> None:
    places = FetchPlaces(total=4, per_origin=1, patience_s=60)
    got: list[str] = []

    async def hold(name: str, until: asyncio.Event) -> None:
        async with places.take("x"):
            got.append(name)
            await until.wait()

    end = asyncio.Event()
    first = asyncio.create_task(hold("first", end))
    await asyncio.sleep(0)
    second = asyncio.create_task(hold("second", end))
    third = asyncio.create_task(hold("third", end))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    second.cancel()
    end.set()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert got == ["first", "third"]


@pytest.mark.parametrize("total", [1, 3])
async def test_no_more_than_the_total_are_held_over_all_origins(total: int) -> None:
    places = FetchPlaces(total=total, per_origin=2, patience_s=60)
    held = most = 0

    async def fetch(origin: str) -> None:
        nonlocal held, most
        async with places.take(origin):
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    await asyncio.gather(*(fetch(f"host{n % 5}") for n in range(20)))
    assert most == total
