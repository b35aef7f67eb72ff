"""The same image twice is computed once, where results are kept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InferenceFailed
from schemas.results import Box, Face
from stream.metrics import WorkerMetrics
from stream.repeats import Asked, Repeats
from tests.lane_bench import FACE, Bench, png

KEPT_BYTES = 1_000_000


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path, result_cache_bytes=KEPT_BYTES) as bench:
        yield bench


def _inline(request_id: str, image: bytes, **more: Any) -> dict[str, Any]:
    data = base64.b64encode(image).decode()
    return {"id": request_id, "operation": "detect", "image": {"data": data}} | more


async def test_an_image_that_comes_again_is_computed_once_and_each_request_has_its_own_result(
    bench: Bench,
) -> None:
    first = await bench.settled(bench.deliver(_inline("one", png(), metadata={"n": 1})))
    again = await bench.settled(bench.deliver(_inline("two", png(), metadata={"n": 2})))
    assert bench.pipeline.computed == [6]
    assert again.faces == first.faces == [FACE]
    assert (again.request_id, again.metadata) == ("two", {"n": 2})
    assert again.id != first.id
    assert again.image == first.image
    assert set(first.timings_ms) == {"decode", "detect"}
    assert set(again.timings_ms) == {"decode"}
    bench.assert_all_free()


async def test_a_result_has_the_same_id_whether_it_was_computed_or_remembered(
    bench: Bench,
) -> None:
    results = [await bench.settled(bench.deliver(_inline("one", png()))) for _ in range(2)]
    assert bench.pipeline.computed == [6]
    assert results[0].id == results[1].id


async def test_the_same_image_twice_at_once_is_computed_once(bench: Bench) -> None:
    bench.pipeline.gate.clear()
    offsets = [bench.deliver(_inline(f"r-{n}", png())) for n in range(3)]
    await bench.until(lambda: bench.pipeline.computed == [6])
    other = bench.deliver(_inline("other", png(7)))
    bench.pipeline.gate.set()
    for offset in (*offsets, other):
        assert (await bench.settled(offset)).faces == [FACE]
    assert sorted(bench.pipeline.computed) == [6, 7]


async def test_what_differs_in_operation_or_number_of_faces_is_another_computation(
    bench: Bench,
) -> None:
    for more in ({}, {"operation": "embed"}, {"max_faces": 1}, {}):
        await bench.settled(bench.deliver(_inline("r", png(), **more)))
    assert len(bench.pipeline.computed) == 3


async def test_by_default_nothing_is_remembered(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        for _ in range(2):
            await bench.settled(bench.deliver(_inline("r", png())))
        assert bench.pipeline.computed == [6, 6]
        assert _counted(bench) == (0, 0)


async def test_what_was_remembered_is_counted_and_so_is_what_had_to_be_computed(
    bench: Bench,
) -> None:
    bench.pipeline.gate.clear()
    at_once = [bench.deliver(_inline(f"r-{n}", png())) for n in range(2)]
    await bench.until(lambda: bench.pipeline.computed == [6])
    assert _counted(bench) == (0, 1), "who waits has nothing yet"
    bench.pipeline.gate.set()
    for offset in at_once:
        await bench.settled(offset)
    await bench.settled(bench.deliver(_inline("again", png())))
    await bench.settled(bench.deliver(_inline("other", png(7))))
    assert _counted(bench) == (2, 2)


async def test_a_failure_is_not_remembered(bench: Bench) -> None:
    bench.pipeline.errors[6] = InferenceFailed("once")
    assert await bench.failure(bench.deliver(_inline("r", png()))) == "inference_failed"
    bench.pipeline.errors.clear()
    assert (await bench.settled(bench.deliver(_inline("r", png())))).status == "ok"


def _counted(bench: Bench) -> tuple[float | None, ...]:
    """(hits, misses)"""
    names = (f"facestream_result_cache_{what}_total" for what in ("hits", "misses"))
    return tuple(bench.metrics.registry.get_sample_value(name) for name in names)


def _asked(number: int) -> Asked:
    return Asked(f"{number:064x}", "embed", 0)


def _computing(calls: list[int], number: int) -> Callable[[], Awaitable[list[Face]]]:
    async def compute() -> list[Face]:
        calls.append(number)
        return [FACE.model_copy(update={"bbox": Box(number, 2, 3, 4), "embedding": [0.5] * 512})]

    return compute


async def test_what_is_kept_is_bounded_and_the_longest_unasked_goes_first() -> None:
    calls: list[int] = []
    repeats = Repeats(20_000, WorkerMetrics())  # a face with its embedding has some 5 KB

    async def ask(number: int) -> None:
        (face,) = await repeats.faces(_asked(number), 1, _computing(calls, number))
        assert face.bbox.x1 == number

    for number in (0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0):
        await ask(number)
    assert calls == [0, 1, 2, 3, 4, 5]
    assert sum(len(faces) for faces in repeats._kept.values()) == repeats._size_bytes <= 20_000
    await ask(1)
    assert calls[-1] == 1


async def test_faces_larger_than_the_bound_are_given_and_not_kept() -> None:
    calls: list[int] = []
    repeats = Repeats(1000, WorkerMetrics())
    for _ in range(2):
        assert await repeats.faces(_asked(7), 1, _computing(calls, 7))
    assert calls == [7, 7]


async def test_who_waits_computes_it_himself_when_the_first_gives_up() -> None:
    calls: list[int] = []
    repeats = Repeats(KEPT_BYTES, WorkerMetrics())
    begun = asyncio.Event()

    async def never() -> list[Face]:
        begun.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async with asyncio.timeout(5):
        first = asyncio.create_task(repeats.faces(_asked(1), 1, never))
        await begun.wait()
        second = asyncio.create_task(repeats.faces(_asked(1), 1, _computing(calls, 1)))
        await asyncio.sleep(0)
        assert calls == []
        first.cancel()
        assert len(await second) == 1
    assert calls == [1]


async def test_the_urgent_do_not_wait_for_what_is_computed_behind_them() -> None:
    calls: list[int] = []
    repeats = Repeats(KEPT_BYTES, WorkerMetrics())
    release = asyncio.Event()

    async def bulk() -> list[Face]:
        await release.wait()
        return [FACE]

    async with asyncio.timeout(5):
        waiting = asyncio.create_task(repeats.faces(_asked(1), 1, bulk))
        await asyncio.sleep(0)
        assert len(await repeats.faces(_asked(1), 0, _computing(calls, 1))) == 1
        release.set()
        await waiting
    assert calls == [1]
