"""Slow downloads delay only their like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream.places import FetchPlaces


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(1):
        while not condition():
            await asyncio.sleep(0)


async def test_an_origin_takes_no_more_than_its_own_places() -> None:
    places = FetchPlaces(total=4, per_origin=2)
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
    places = FetchPlaces(total=4, per_origin=2)
    for number in range(100):
        async with places.take(f"https://host{number}.example"):
            pass
    assert not places._origins
