"""Images come with retries and within bounds, and every place that is taken is given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import (
    FetchTimeout,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnavailable,
)
from stream import fetching
from tests.lane_bench import Bench, png

URI = "https://a.example/1.png"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path, max_fetch_timeouts=2) as bench:
        yield bench


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(fetching, "_LONGEST_PAUSE_S", 0.004)


def _deadline(in_s: float) -> tuple[tuple[str, bytes], ...]:
    return (("deadline", b"%d" % round((time.time() + in_s) * 1000)),)


async def test_what_may_pass_is_tried_again_until_it_has_passed(bench: Bench) -> None:
    bench.reader.answers[URI].extend([ImageUnavailable("503")] * 5)
    assert (await bench.settled(bench.fetch(URI))).status == "ok"
    assert bench.reader.fetched == [URI] * 6


async def test_the_pauses_between_tries_grow_up_to_a_longest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        paused.append(seconds)
        await sleep(0)

    bench.reader.answers[URI].extend([ImageUnavailable("503")] * 5)
    offset = bench.fetch(URI)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", note)
        while offset not in bench.publisher.outcomes:
            await sleep(0.001)
    assert paused == [0.001, 0.002, 0.004, 0.004, 0.004]


@pytest.mark.parametrize("error", [ImageNotFound, ImageForbidden, ImageTooLarge])
async def test_what_does_not_pass_is_tried_once(
    bench: Bench, error: type[ImageNotFound | ImageForbidden | ImageTooLarge]
) -> None:
    bench.reader.answers[URI].append(error("no"))
    assert await bench.failure(bench.fetch(URI)) == error.code
    assert bench.reader.fetched == [URI]
    await bench.until(lambda: bench.acked == [0])
    bench.assert_all_free()


async def test_slow_downloads_are_tried_so_many_times_and_no_more(bench: Bench) -> None:
    bench.reader.answers[URI].extend(
        [FetchTimeout("slow"), ImageUnavailable("503"), FetchTimeout("slow")]
    )
    assert await bench.failure(bench.fetch(URI)) == "fetch_timeout"
    assert bench.reader.fetched == [URI] * 3


async def test_an_image_is_tried_for_no_longer_than_an_event_may_take(tmp_path: Path) -> None:
    with Bench(tmp_path, event_timeout_s=0.05) as bench:
        bench.reader.answers[URI].extend([ImageUnavailable("503")] * 10_000)
        assert await bench.failure(bench.fetch(URI)) == "image_unavailable"
        assert len(bench.reader.fetched) > 3
        await bench.until(lambda: bench.acked == [0])
        bench.assert_all_free()


async def test_a_deadline_ends_a_download_that_lasts(tmp_path: Path) -> None:
    with Bench(tmp_path, deadline_allowance_s=0) as bench:
        bench.reader.gates[URI] = asyncio.Event()
        assert await bench.failure(bench.fetch(URI, _deadline(0.05))) == "deadline_passed"
        assert bench.pipeline.computed == []
        await bench.until(lambda: bench.acked == [0])
        bench.assert_all_free()


async def test_a_deadline_ends_the_wait_for_a_place_and_for_another_try(tmp_path: Path) -> None:
    with Bench(tmp_path, deadline_allowance_s=0, fetch_places=1, retry_places=1) as bench:
        bench.reader.gates[URI] = asyncio.Event()
        first = bench.fetch(URI)
        await bench.until(lambda: bench.reader.now == 1)
        behind = bench.fetch("https://b.example/1.png", _deadline(0.05))
        assert await bench.failure(behind) == "deadline_passed"
        bench.reader.answers["https://c.example/1.png"].extend([ImageUnavailable("503")] * 10_000)
        bench.reader.gates[URI].set()
        assert (await bench.settled(first)).status == "ok"
        retried = bench.fetch("https://c.example/1.png", _deadline(0.05))
        assert await bench.failure(retried) == "deadline_passed"
        await bench.until(lambda: bench.acked == [0, 1, 2])
        bench.assert_all_free()


async def test_no_more_than_the_places_are_fetched_at_once(tmp_path: Path) -> None:
    with Bench(tmp_path, fetch_places=3, fetch_places_per_origin=2) as bench:
        uris = [f"https://{host}.example/{n}.png" for n in range(5) for host in "ab"]
        for uri in uris:
            bench.reader.gates[uri] = asyncio.Event()
        offsets = [bench.fetch(uri) for uri in uris]
        await bench.until(lambda: bench.reader.now == 3)
        for uri in uris:
            bench.reader.gates[uri].set()
        for offset in offsets:
            assert (await bench.settled(offset)).status == "ok"
        assert bench.reader.most == 3
        await bench.until(lambda: bench.acked == offsets)
        bench.assert_all_free()


async def test_what_is_fetched_waits_in_its_place_until_it_can_be_decoded(tmp_path: Path) -> None:
    """What is fetched and not decoded is so bounded by the places to fetch."""
    with Bench(tmp_path, fetch_places=2, decoded_places=1) as bench:
        bench.pipeline.gate.clear()
        offsets = [bench.fetch(f"https://a.example/{n}.png") for n in range(6)]
        await bench.until(lambda: len(bench.pipeline.computed) == 1)
        await bench.until(lambda: bench.places.fetch._all._value == 0)
        await asyncio.sleep(0.02)
        assert len(bench.reader.fetched) == 3, "one computed, two that wait in their places"
        bench.pipeline.gate.set()
        for offset in offsets:
            assert (await bench.settled(offset)).status == "ok"
        await bench.until(lambda: bench.acked == offsets)
        bench.assert_all_free()


async def test_no_more_images_are_decoded_than_there_are_places(tmp_path: Path) -> None:
    with Bench(tmp_path, decoded_places=2) as bench:
        bench.pipeline.gate.clear()
        offsets = [bench.fetch(f"https://a.example/{n}.png") for n in range(6)]
        await bench.until(bench.places.decoded.locked)
        await asyncio.sleep(0.02)
        assert bench.lane.busy == 2, "the others are parked"
        bench.pipeline.gate.set()
        for offset in offsets:
            await bench.settled(offset)
        await bench.until(lambda: bench.acked == offsets)
        bench.assert_all_free()


async def test_events_that_wait_for_their_image_hold_up_no_others(tmp_path: Path) -> None:
    with Bench(tmp_path, busy=1) as bench:
        for number in range(40):
            uri = f"https://slow.example/{number}.png"
            bench.reader.gates[uri] = asyncio.Event()
            bench.fetch(uri)
        quick = bench.fetch("https://quick.example/1.png")
        assert (await bench.settled(quick)).status == "ok"
        assert bench.acked == []
        await bench.lane.cancel()
        bench.assert_all_free()


@pytest.mark.parametrize("stage", ["fetching", "queued", "retrying", "fetched", "computing"])
async def test_what_is_cancelled_gives_every_place_back_and_acks_nothing(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(tmp_path, fetch_places=2, fetch_places_per_origin=2, decoded_places=1) as bench:
        uris = [f"https://a.example/{n}.png" for n in range(6)]
        if stage in {"fetching", "queued"}:
            bench.reader.gates = {uri: asyncio.Event() for uri in uris}
        if stage == "retrying":
            monkeypatch.setattr(fetching, "_FIRST_PAUSE_S", 60.0)
            monkeypatch.setattr(fetching, "_LONGEST_PAUSE_S", 60.0)
            for uri in uris:
                bench.reader.answers[uri].append(ImageUnavailable("503"))
        bench.pipeline.gate.clear()
        for uri in uris[: 1 if stage in {"fetching", "computing"} else 6]:
            bench.fetch(uri)
        reached = {
            "fetching": lambda: bench.reader.now == 1,
            "queued": lambda: bench.reader.now == 2,
            "retrying": lambda: len(bench.reader.fetched) == 6 and bench.reader.now == 0,
            "fetched": lambda: len(bench.reader.fetched) == 3,
            "computing": lambda: bool(bench.pipeline.computed),
        }
        await bench.until(reached[stage])
        await bench.lane.cancel()
        bench.assert_all_free()
        assert bench.acked == []
        assert bench.publisher.outcomes == {}


async def test_an_image_that_cannot_be_decoded_gives_its_place_back(tmp_path: Path) -> None:
    with Bench(tmp_path, decoded_places=1) as bench:
        for number in range(5):
            bench.reader.answers[f"https://a.example/{number}.png"].append(b"words")
            bench.fetch(f"https://a.example/{number}.png")
        whole = bench.fetch("https://a.example/whole.png")
        result = await bench.settled(whole)
        assert (result.image.width, result.image.height) == (6, 4)
        assert result.status == "ok"
        await bench.until(lambda: len(bench.acked) == 6)
        bench.assert_all_free()


async def test_an_error_that_nobody_expected_of_the_reader_fails_the_event(bench: Bench) -> None:
    bench.reader.answers[URI].append(ValueError("a defect"))
    assert await bench.failure(bench.fetch(URI)) == "inference_failed"
    bench.reader.answers[URI].append(png())
    assert (await bench.settled(bench.fetch(URI))).status == "ok"
    await bench.until(lambda: bench.acked == [0, 1])
    bench.assert_all_free()
