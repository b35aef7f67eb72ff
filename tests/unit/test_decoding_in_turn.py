"""Where all processors compute, or a caller's image finds none that does, the thread that computes
decodes as well."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream import fetching
from stream.decoding import open_photograph
from stream.photograph import Photograph
from tests.lane_bench import FACE, Bench, png


def jpeg(width: int = 6) -> bytes:
    encoded, data = cv2.imencode(".jpg", np.full((4, width, 3), 128, np.uint8))
    assert encoded
    return data.tobytes()


@pytest.fixture
def decoded_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads in which images are decoded, as they come."""
    threads: list[str] = []

    def noted(data: bytes, max_pixels: int, enough_px: int | None = None) -> Photograph:
        threads.append(threading.current_thread().name.rstrip("_0"))
        return open_photograph(data, max_pixels, enough_px)

    monkeypatch.setattr(fetching, "open_photograph", noted)
    return threads


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        bench.crowded = True
        yield bench


def _fetch(bench: Bench, data: bytes) -> int:
    bench.reader.answers["file:///a.jpg"].append(data)
    return bench.fetch("file:///a.jpg")


async def test_it_tells_the_same_of_the_image(bench: Bench, decoded_in: list[str]) -> None:
    result = await bench.settled(_fetch(bench, jpeg(9)))
    assert decoded_in == ["compute"]
    assert (result.status, result.faces) == ("ok", [FACE])
    assert (result.image.width, result.image.height) == (9, 4)
    assert result.image.sha256 == hashlib.sha256(jpeg(9)).hexdigest()
    assert set(result.timings_ms) == {"fetch", "decode", "detect"}
    await bench.until(lambda: bench.acked == [0])
    bench.assert_all_free()


async def test_beside_an_idle_processor_it_is_decoded_ahead(
    bench: Bench, decoded_in: list[str]
) -> None:
    bench.crowded = False
    await bench.settled(_fetch(bench, jpeg()))
    assert decoded_in == ["decode-bulk"]


async def test_a_callers_is_decoded_ahead_of_what_computes_alone(
    tmp_path: Path, decoded_in: list[str]
) -> None:
    with Bench(tmp_path, "interactive") as bench:
        bench.pipeline.gate.clear()
        offsets = [_fetch(bench, jpeg())]
        await bench.until(lambda: len(bench.pipeline.computed) == 1)
        offsets += [_fetch(bench, jpeg()), _fetch(bench, jpeg())]
        await bench.until(lambda: len(decoded_in) == 3)
        bench.pipeline.gate.set()
        for offset in offsets:
            await bench.settled(offset)
    assert decoded_in == ["compute", "decode-interactive", "decode-interactive"]


@pytest.mark.parametrize("data", [png(), jpeg() + bytes(2 * 1024 * 1024)], ids=["png", "large"])
async def test_what_may_take_long_is_decoded_ahead(
    bench: Bench, decoded_in: list[str], data: bytes
) -> None:
    await bench.settled(_fetch(bench, data))
    assert decoded_in == ["decode-bulk"]


async def test_what_may_be_remembered_is_decoded_ahead(
    tmp_path: Path, decoded_in: list[str]
) -> None:
    with Bench(tmp_path, result_cache_bytes=1000) as bench:
        bench.crowded = True
        await bench.settled(_fetch(bench, jpeg()))
    assert decoded_in == ["decode-bulk"]


async def test_one_that_is_damaged_fails_and_its_neighbour_does_not(bench: Bench) -> None:
    broken, whole = _fetch(bench, jpeg()[:-20]), _fetch(bench, jpeg())
    assert await bench.failure(broken) == "damaged_image"
    assert (await bench.settled(whole)).status == "ok"
    await bench.until(lambda: bench.acked == [0, 1])
    bench.assert_all_free()


async def test_who_is_more_urgent_goes_between_decoding_and_computing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, end = threading.Event(), threading.Event()

    def slowly(data: bytes, max_pixels: int, enough_px: int | None = None) -> Photograph:
        begun.set()
        assert end.wait(5)
        return open_photograph(data, max_pixels, enough_px)

    def urgent() -> Generator[None, None, int]:
        yield
        return len(bench.pipeline.computed)

    monkeypatch.setattr(fetching, "open_photograph", slowly)
    offset = _fetch(bench, jpeg())
    await bench.until(begun.is_set)
    computed_before = asyncio.create_task(bench.compute.run(0, urgent))
    await asyncio.sleep(0)
    end.set()
    assert await computed_before == 0
    assert (await bench.settled(offset)).status == "ok"


async def test_no_more_are_in_hand_than_there_are_places(tmp_path: Path) -> None:
    with Bench(tmp_path, decoded_places=2) as bench:
        bench.crowded = True
        bench.pipeline.gate.clear()
        offsets = [_fetch(bench, jpeg(width)) for width in (1, 2, 3)]
        await bench.until(lambda: bench.pipeline.computed == [1])
        await bench.until(bench.places.decoded.locked)
        await asyncio.sleep(0.05)  # time in which the third would have gone on
        assert bench.places.results._value == fetching.RESULT_PLACES - 2
        bench.pipeline.gate.set()
        for offset in offsets:
            await bench.settled(offset)
        assert bench.pipeline.computed == [1, 2, 3]
        await bench.until(lambda: bench.acked == offsets)
        bench.assert_all_free()
