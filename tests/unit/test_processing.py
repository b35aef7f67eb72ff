"""Every event ends in one of two ways, whatever it is, and its neighbours go on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from schemas.errors import ImageNotFound, InferenceFailed
from stream.event import Event, Position
from stream.fetching import RESULT_PLACES, UNCONFIRMED_PLACES
from stream.io.producer import SendFailed
from stream.outcome import Outcome
from tests.lane_bench import FACE, MODEL, Bench, png

REPLY = (("reply_to", b"face.replies"), ("reply_partition", b"3"), ("correlation_id", b"\xff"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        yield bench


def _inline(data: bytes, **more: Any) -> dict[str, Any]:
    image = {"data": base64.b64encode(data).decode(), **more}
    return {"id": "r-1", "operation": "detect", "image": image, "metadata": {"album": 7}}


def _deadline(in_s: float) -> tuple[tuple[str, bytes], ...]:
    return (("deadline", b"%d" % round((time.time() + in_s) * 1000)),)


async def test_an_inline_image_is_computed_and_nothing_is_fetched(bench: Bench) -> None:
    result = await bench.settled(bench.deliver(_inline(png(6, 4))))
    assert result.status == "ok"
    assert result.faces == [FACE]
    assert result.model == MODEL
    assert result.metadata == {"album": 7}
    assert (result.image.uri, result.image.width, result.image.height) == (None, 6, 4)
    assert result.image.sha256 == hashlib.sha256(png(6, 4)).hexdigest()
    assert set(result.timings_ms) == {"decode", "detect"}
    assert bench.reader.fetched == []
    await bench.until(lambda: bench.acked == [0])
    bench.assert_all_free()


async def test_a_referenced_image_tells_where_it_came_from_without_its_secrets(
    bench: Bench,
) -> None:
    uri = "https://user:secret@images.example/a.jpg?token=secret#secret"
    result = await bench.settled(bench.fetch(uri))
    assert result.status == "ok"
    assert result.image.uri == "https://images.example/a.jpg"
    assert set(result.timings_ms) == {"fetch", "decode", "detect"}
    assert bench.reader.fetched == [uri]


@pytest.mark.parametrize("answer", [b"no image", png(), ImageNotFound("gone")])
async def test_no_failure_tells_credentials_or_queries(
    bench: Bench, answer: bytes | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    uri = "https://user:secret@images.example/a.jpg?token=secret#secret"
    bench.reader.answers[uri].append(answer)
    bench.pipeline.errors[6] = RuntimeError("secret")
    offset = bench.fetch(uri)
    result = await bench.settled(offset)
    outcome = bench.publisher.outcomes[offset]
    assert result.status == "failed"
    assert "secret" not in result.model_dump_json()
    assert outcome.rejected is not None
    assert "secret" not in str(outcome.rejected)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("%%%", "not_an_image"),
        ("====", "not_an_image"),
        ("YQ==", "not_an_image"),
        (base64.b64encode(png()[:-20]).decode(), "damaged_image"),
    ],
)
async def test_inline_data_that_is_no_image_fails_and_its_neighbour_does_not(
    bench: Bench, data: str, code: str
) -> None:
    broken = bench.deliver({"operation": "detect", "image": {"data": data}})
    whole = bench.deliver(_inline(png()))
    assert await bench.failure(broken) == code
    assert (await bench.settled(whole)).status == "ok"
    await bench.until(lambda: bench.acked == [0, 1])
    bench.assert_all_free()


async def test_what_was_read_is_named_by_its_hash_even_where_it_is_no_image(bench: Bench) -> None:
    bench.reader.answers["file:///a.jpg"].append(b"words")
    result = await bench.settled(bench.fetch("file:///a.jpg"))
    assert result.status == "failed"
    assert result.image.sha256 == hashlib.sha256(b"words").hexdigest()


async def test_another_hash_than_the_request_names_is_a_failure(bench: Bench) -> None:
    wrong = hashlib.sha256(b"other").hexdigest()
    assert await bench.failure(bench.deliver(_inline(png(), sha256=wrong))) == "hash_mismatch"
    assert bench.pipeline.computed == []


@pytest.mark.parametrize("value", [None, b"", b"\xff\xd8", b"[]", b'{"operation": "guess"}'])
async def test_bytes_that_are_no_request_end_as_a_dead_letter(
    bench: Bench, value: bytes | None
) -> None:
    offset = bench.deliver(value)
    await bench.until(lambda: bench.acked == [offset])
    outcome = bench.publisher.outcomes[offset]
    assert outcome.result is None
    assert outcome.rejected is not None
    bench.assert_all_free()


@pytest.mark.parametrize(
    "header", [("deadline", b"soon"), ("deadline", b"\xff"), ("deadline", b"9" * 19)]
)
async def test_who_sends_a_header_that_cannot_be_read_is_told_so(
    bench: Bench, header: tuple[str, bytes]
) -> None:
    offset = bench.deliver(_inline(png()), (*REPLY, header))
    assert await bench.failure(offset) == "invalid_request"
    outcome = bench.publisher.outcomes[offset]
    assert outcome.headers.reply is not None
    assert outcome.headers.reply.correlation_id == b"\xff"
    assert outcome.rejected is not None
    assert bench.pipeline.computed == []


async def test_a_deadline_that_has_passed_is_neither_fetched_nor_computed(bench: Bench) -> None:
    fetched = bench.fetch("https://a.example/1", _deadline(-10))
    inline = bench.deliver(_inline(png()), _deadline(-10))
    assert await bench.failure(fetched) == "deadline_passed"
    assert await bench.failure(inline) == "deadline_passed"
    assert bench.reader.fetched == []
    assert bench.pipeline.computed == []


async def test_clocks_that_differ_are_allowed_for(bench: Bench) -> None:
    assert (await bench.settled(bench.deliver(_inline(png()), _deadline(-0.2)))).status == "ok"


@pytest.mark.parametrize("deadline", [b"0", b"9" * 18])
async def test_a_deadline_of_any_size_is_understood(bench: Bench, deadline: bytes) -> None:
    result = await bench.settled(bench.fetch("https://a.example/1", (("deadline", deadline),)))
    assert result.status == ("failed" if deadline == b"0" else "ok")


async def test_a_deadline_that_passes_behind_others_is_not_computed(tmp_path: Path) -> None:
    with Bench(tmp_path, deadline_allowance_s=0) as bench:
        bench.pipeline.gate.clear()
        first = bench.deliver(_inline(png(5)))
        await bench.until(lambda: bench.pipeline.computed == [5])
        late = bench.deliver(_inline(png(7)), _deadline(0.15))
        time.sleep(0.2)  # noqa: ASYNC251 - the deadline passes; a timer could come before it
        bench.pipeline.gate.set()
        assert await bench.failure(late) == "deadline_passed"
        assert (await bench.settled(first)).status == "ok"
        assert bench.pipeline.computed == [5]


@pytest.mark.parametrize("error", [RuntimeError("a defect"), MemoryError(), RecursionError()])
async def test_what_nobody_expected_fails_this_event_and_its_neighbours_go_on(
    bench: Bench, error: Exception
) -> None:
    bench.pipeline.errors[5] = error
    before, broken, after = (bench.deliver(_inline(png(width))) for width in (4, 5, 6))
    assert await bench.failure(broken) == "inference_failed"
    for offset in (before, after):
        assert (await bench.settled(offset)).status == "ok"
    await bench.until(lambda: bench.acked == [0, 1, 2])
    bench.assert_all_free()


async def test_what_a_model_says_of_its_failure_is_passed_on(bench: Bench) -> None:
    bench.pipeline.errors[5] = InferenceFailed("the detector gave nothing")
    result = await bench.settled(bench.deliver(_inline(png(5))))
    assert result.error is not None
    assert result.error.message == "the detector gave nothing"
    assert result.image.width == 5
    assert result.timings_ms["detect"] == 1.0


async def test_a_result_that_cannot_be_published_ends_as_a_dead_letter(bench: Bench) -> None:
    bench.publisher.errors.append(TypeError("cannot be written"))
    offset = bench.deliver(_inline(png()))
    await bench.until(lambda: bench.acked == [offset])
    outcome = bench.publisher.outcomes[offset]
    assert outcome.result is None
    assert outcome.rejected is not None
    assert outcome.rejected.code == "inference_failed"
    assert not bench.crashes


async def test_a_producer_beyond_repair_leaves_the_event_for_the_next_worker(bench: Bench) -> None:
    fatal = SendFailed(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
    bench.publisher.errors.append(fatal)
    bench.deliver(_inline(png()))
    await bench.until(lambda: bool(bench.crashes))
    assert bench.crashes == [fatal]
    assert bench.acked == []


async def test_an_event_that_killed_too_many_workers_is_not_tried_again(bench: Bench) -> None:
    bench.deaths[Position("face.images", 0, 0)] = bench.settings.max_attempts
    bench.deaths[Position("face.images", 0, 1)] = bench.settings.max_attempts - 1
    killer = bench.deliver(_inline(png(5)))
    suspect = bench.deliver(_inline(png(6)))
    assert await bench.failure(killer) == "crashed_worker"
    assert (await bench.settled(suspect)).status == "ok"
    assert bench.pipeline.computed == [6]


async def test_while_the_broker_is_away_few_results_are_computed_and_fewer_are_sent(
    bench: Bench,
) -> None:
    back = asyncio.Event()
    publish, sent = bench.publisher.publish, []

    async def publish_once_back(event: Event, outcome: Outcome) -> None:
        sent.append(event.offset)
        await back.wait()
        await publish(event, outcome)

    bench.publisher.publish = publish_once_back  # type: ignore[method-assign]  # a broker away
    offsets = [bench.fetch(f"file:///{number}.png") for number in range(20)]
    await bench.until(lambda: len(bench.pipeline.computed) >= RESULT_PLACES)
    await bench.until(bench.places.unconfirmed.locked)
    await bench.until(bench.places.decoded.locked)
    await asyncio.sleep(0.05)  # time in which more would have been computed
    assert len(bench.pipeline.computed) == RESULT_PLACES
    assert len(sent) == UNCONFIRMED_PLACES
    back.set()
    for offset in offsets:
        await bench.settled(offset)
    await bench.until(lambda: bench.acked == offsets)
    bench.assert_all_free()
