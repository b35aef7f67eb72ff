"""A delivery costs no task where it has not to wait, and none is lost where it has."""

from __future__ import annotations

import asyncio

import pytest

from stream.faust_kafka import begun


async def test_what_has_not_to_wait_is_done_at_once() -> None:
    done = []

    async def deliver() -> None:
        done.append(1)

    assert begun(deliver()) is None
    assert done == [1]


async def test_what_waits_goes_on_when_it_is_awaited() -> None:
    places = [asyncio.get_running_loop().create_future() for _ in range(2)]
    done = []

    async def deliver() -> None:
        for place in places:
            done.append(await place)  # noqa: PERF401 - each is to be seen as it comes

    left = begun(deliver())
    assert left is not None
    task = asyncio.ensure_future(left)
    for number, place in enumerate(places):
        await asyncio.sleep(0)
        assert len(done) == number
        place.set_result(number)
    await task
    assert done == [0, 1]


async def test_what_waits_can_be_given_up() -> None:
    cancelled = []

    async def deliver() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    left = begun(deliver())
    assert left is not None
    task = asyncio.ensure_future(left)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == [1]


async def test_what_fails_says_so_at_once_and_later() -> None:
    place = asyncio.get_running_loop().create_future()

    async def deliver(later: bool) -> None:
        if later:
            await place
        raise LookupError

    with pytest.raises(LookupError):
        begun(deliver(later=False))
    left = begun(deliver(later=True))
    assert left is not None
    place.set_result(None)
    with pytest.raises(LookupError):
        await left
