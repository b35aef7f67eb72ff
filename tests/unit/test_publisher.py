"""What must not be lost is confirmed before it counts as done; a reply holds up nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import cast

import orjson
import pytest
from confluent_kafka import KafkaError
from pydantic import JsonValue

from schemas.errors import ImageNotFound, NotJson
from schemas.results import Box, ErrorInfo, Face, ImageInfo, ModelInfo, Result
from schemas.topics import MAX_MESSAGE_BYTES, Topics
from schemas.wire import Headers, ReplyAddress, RequestHeaders, result_id
from stream import publisher
from stream.event import Event, LaneName
from stream.io.producer import MessageTooLarge, Producer, SendFailed
from stream.metrics import WorkerMetrics
from stream.outcome import Outcome
from stream.publisher import Publisher

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MODEL = ModelInfo(pack="synthetic", detector="det@00000000")
PASSING = SendFailed(KafkaError(KafkaError._MSG_TIMED_OUT))
FATAL = SendFailed(KafkaError(KafkaError._FATAL, "fenced", fatal=True))


@dataclass(frozen=True, slots=True)
class Sent:
    topic: str
    value: bytes | None
    key: bytes | None
    headers: dict[str, bytes]
    partition: int | None
    confirmed: asyncio.Future[None]


@dataclass
class FakeProducer:
    """Notes what it is handed; confirms at once, unless told otherwise for a topic."""

    sent: list[Sent] = field(default_factory=list)
    #: by topic, what becomes of the next messages: an error of the broker's, or None
    answers: defaultdict[str, deque[Exception | None]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    #: by topic, what handing over the next messages raises
    refusals: defaultdict[str, deque[Exception]] = field(default_factory=lambda: defaultdict(deque))
    #: topics whose messages are confirmed by the test
    slow: set[str] = field(default_factory=set)
    #: what the broker takes of one message
    limit_bytes: int = MAX_MESSAGE_BYTES

    async def enqueue(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> asyncio.Future[None]:
        if self.refusals[topic]:
            raise self.refusals[topic].popleft()
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        named = dict(headers or [])
        self.sent.append(Sent(topic, value, key, named, partition, confirmed))
        size = len(value or b"") + len(key or b"")
        size += sum(len(name) + len(content) for name, content in headers or [])
        answer = self.answers[topic].popleft() if self.answers[topic] else None
        if size > self.limit_bytes:
            answer = MessageTooLarge(f"{size} bytes")
        if answer is not None:
            confirmed.set_exception(answer)
        elif topic not in self.slow:
            confirmed.set_result(None)
        return confirmed

    def to(self, topic: str) -> list[Sent]:
        return [message for message in self.sent if message.topic == topic]


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def publish_to(producer: FakeProducer) -> Publisher:
    return Publisher(
        cast(Producer, producer),
        Topics(),
        reply_topics=("face.replies", "face.replies.*"),
        source="/facestream/workers/w",
        metrics=WorkerMetrics(),
    )


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "_RETRY_PAUSE_S", 0.0)


def _event(
    lane: LaneName = "bulk",
    key: bytes | None = b"key",
    value: bytes | None = b"{}",
    headers: tuple[tuple[str, bytes | None], ...] = (("x", b"1"),),
) -> Event:
    return Event("face.images", 3, 41, key, value, headers, None, lane, ack=lambda: None)


def _outcome(
    *,
    reply: ReplyAddress | None = None,
    faces: int = 1,
    metadata: dict[str, JsonValue] | None = None,
    traceparent: bytes | None = None,
) -> Outcome:
    face = Face(bbox=Box(1, 2, 3, 4), confidence=0.9, landmarks_5=None, embedding=[0.5] * 512)
    result = Result(
        id=result_id("r-1", "embed", MODEL),
        request_id="r-1",
        operation="embed",
        status="ok",
        error=None,
        image=ImageInfo(uri=None, sha256=None, width=None, height=None),
        faces=[face] * faces,
        model=MODEL,
        timings_ms={},
        metadata={"album": 7} if metadata is None else metadata,
    )
    return Outcome(result, True, None, RequestHeaders(reply, traceparent=traceparent))


def _failed() -> Outcome:
    outcome = _outcome(faces=0)
    assert outcome.result is not None
    error = ErrorInfo(code="image_not_found", message="gone")
    result = outcome.result.model_copy(update={"status": "failed", "error": error})
    return Outcome(result, True, ImageNotFound("gone"), RequestHeaders())


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_returns_when_the_broker_has_confirmed_the_result(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    producer.slow = {"face.embeddings"}
    publishing = asyncio.create_task(publish_to.publish(_event(), _outcome()))
    await _turns()
    assert not publishing.done()
    [sent] = producer.sent
    sent.confirmed.set_result(None)
    await asyncio.wait_for(publishing, 1)
    assert sent.value is not None
    assert Result.model_validate_json(sent.value).request_id == "r-1"
    assert sent.partition is None
    assert sent.headers["ce_type"] == b"facestream.embedding.v1"
    assert sent.headers["ce_id"].decode() == result_id("r-1", "embed", MODEL)
    assert sent.headers["ce_source"] == b"/facestream/workers/w"


@pytest.mark.parametrize(("key", "result_key"), [(b"key", b"key"), (None, b"r-1"), (b"", b"")])
async def test_a_result_has_its_requests_key_or_else_the_request_id(
    producer: FakeProducer, publish_to: Publisher, key: bytes | None, result_key: bytes
) -> None:
    await publish_to.publish(_event(key=key), _outcome())
    assert [sent.key for sent in producer.sent] == [result_key]


async def test_what_is_not_confirmed_is_sent_again_until_it_is(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    producer.answers["face.embeddings"].extend([PASSING, PASSING, PASSING, None])
    await publish_to.publish(_event(), _outcome(reply=ReplyAddress("face.replies", 1, b"c")))
    values = [sent.value for sent in producer.to("face.embeddings")]
    assert len(values) == 4
    assert len(set(values)) == 1
    assert len(producer.to("face.replies")) == 1, "the reply is not repeated with it"


async def test_what_is_not_taken_is_handed_over_again(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    producer.refusals["face.embeddings"].extend([PASSING, PASSING])
    producer.refusals["face.rejected"].append(PASSING)
    producer.answers["face.rejected"].append(PASSING)
    await publish_to.publish(_event(), _failed())
    assert len(producer.to("face.embeddings")) == 1
    assert len(producer.to("face.rejected")) == 2


@pytest.mark.parametrize("at", ["answers", "refusals"])
async def test_a_producer_beyond_repair_is_no_events_fault(
    producer: FakeProducer, publish_to: Publisher, at: str
) -> None:
    getattr(producer, at)["face.embeddings"].append(FATAL)
    with pytest.raises(SendFailed, match="fenced"):
        await publish_to.publish(_event(), _outcome())


async def test_a_dead_letter_is_the_original_bytes_and_confirmed_too(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    producer.slow = {"face.rejected"}
    event = _event(value=b'{"as": "it came" }', headers=(("x", b"\xff"), ("none", None)))
    publishing = asyncio.create_task(publish_to.publish(event, _failed()))
    await _turns()
    assert not publishing.done()
    [result, letter] = producer.sent
    assert result.topic == "face.embeddings"
    assert (letter.topic, letter.key, letter.value) == ("face.rejected", b"key", event.value)
    assert letter.headers["x"] == b"\xff"
    assert letter.headers["facestream_error_code"] == b"image_not_found"
    assert letter.headers["facestream_error_topic"] == b"face.images"
    assert letter.headers["facestream_error_partition"] == b"3"
    assert letter.headers["facestream_error_offset"] == b"41"
    letter.confirmed.set_result(None)
    await asyncio.wait_for(publishing, 1)


async def test_bytes_that_are_no_request_make_a_dead_letter_and_nothing_else(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    outcome = Outcome(None, False, NotJson("not JSON"), RequestHeaders())
    await publish_to.publish(_event(key=None, value=None), outcome)
    [letter] = producer.sent
    assert (letter.topic, letter.key, letter.value) == ("face.rejected", None, None)


# --- replies


@pytest.mark.parametrize("lane", ["bulk", "interactive"])
@pytest.mark.parametrize("partition", [3, 0, None])
@pytest.mark.parametrize(
    ("spring", "name"), [(False, "correlation_id"), (True, "kafka_correlationId")]
)
async def test_a_reply_has_the_results_bytes_and_goes_where_it_was_asked_to(
    producer: FakeProducer,
    publish_to: Publisher,
    lane: LaneName,
    partition: int | None,
    spring: bool,
    name: str,
) -> None:
    address = ReplyAddress("face.replies.edge-1", partition, b"\xff\x00id", spring)
    await publish_to.publish(_event(lane), _outcome(reply=address, traceparent=TRACE))
    [result] = producer.to("face.embeddings")
    [reply] = producer.to("face.replies.edge-1")
    assert reply.value == result.value
    assert reply.key == result.key
    assert reply.partition == partition
    assert reply.headers == {**result.headers, name: b"\xff\x00id"}
    assert result.headers["traceparent"] == TRACE
    assert publish_to.replies_failed == 0


@pytest.mark.parametrize(
    "topic",
    [
        "face.images",
        "face.replies2",
        "FACE.REPLIES",
        "",
        "*",
        "face.replies.\0",
        "face.replies.\n",
        "face.replies.☃",
        "face.replies." + "x" * 300,
    ],
)
async def test_a_topic_that_replies_must_not_go_to_gets_nothing_and_the_result_is_published(
    producer: FakeProducer, publish_to: Publisher, topic: str
) -> None:
    await publish_to.publish(_event(), _outcome(reply=ReplyAddress(topic, None, b"c")))
    assert [sent.topic for sent in producer.sent] == ["face.embeddings"]
    assert publish_to.replies_failed == 1


@pytest.mark.parametrize("error", [PASSING, FATAL, MessageTooLarge("too large")])
@pytest.mark.parametrize("at", ["answers", "refusals"])
async def test_a_reply_that_fails_is_counted_and_holds_up_nothing(
    producer: FakeProducer, publish_to: Publisher, error: Exception, at: str
) -> None:
    getattr(producer, at)["face.replies"].append(error)
    await publish_to.publish(_event(), _outcome(reply=ReplyAddress("face.replies", 99, b"c")))
    await _turns()
    assert len(producer.to("face.embeddings")) == 1
    assert publish_to.replies_failed == 1


async def test_a_reply_that_is_never_confirmed_holds_up_nothing(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    producer.slow = {"face.replies"}
    await asyncio.wait_for(
        publish_to.publish(_event(), _outcome(reply=ReplyAddress("face.replies", 1, b"c"))), 1
    )
    assert publish_to.replies_failed == 0


async def test_replies_that_nobody_takes_are_bounded_and_the_rest_are_counted(
    producer: FakeProducer, publish_to: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_UNCONFIRMED_REPLIES_BYTES", 10_000)
    producer.slow = {"face.replies"}
    address = ReplyAddress("face.replies", 1, b"c")
    for _ in range(10):
        await publish_to.publish(_event(), _outcome(reply=address))
    replies = producer.to("face.replies")
    assert 1 < len(replies) < 10
    assert publish_to.replies_failed == 10 - len(replies)
    for reply in replies:
        reply.confirmed.set_result(None)
    await _turns()
    await publish_to.publish(_event(), _outcome(reply=address))
    assert len(producer.to("face.replies")) == len(replies) + 1


async def test_who_sent_no_request_has_a_failed_reply_that_is_published_nowhere(
    producer: FakeProducer, publish_to: Publisher
) -> None:
    failed = _failed().result
    assert failed is not None
    result = failed.model_copy(update={"operation": None, "model": None})
    reply = RequestHeaders(ReplyAddress("face.replies", 2, b"c"))
    await publish_to.publish(_event(), Outcome(result, False, NotJson("no"), reply))
    assert [sent.topic for sent in producer.sent] == ["face.replies", "face.rejected"]
    assert producer.sent[0].headers["ce_type"] == b"facestream.failure.v1"


# --- sizes


@pytest.mark.parametrize("lane", ["bulk", "interactive"])
@pytest.mark.parametrize("found_by", ["us", "broker"])
async def test_a_result_that_is_too_large_settles_as_failed_with_an_id_of_its_own(
    producer: FakeProducer, publish_to: Publisher, lane: LaneName, found_by: str
) -> None:
    faces = 4200 if found_by == "us" else 10
    producer.limit_bytes = MAX_MESSAGE_BYTES if found_by == "us" else 10_000
    outcome = _outcome(faces=faces, reply=ReplyAddress("face.replies", 1, b"c"))
    await publish_to.publish(_event(lane), outcome)
    last = producer.to("face.embeddings")[-1]
    assert last.value is not None
    result = Result.model_validate_json(last.value)
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "result_too_large"
    assert result.faces == []
    assert result.metadata == {"album": 7}
    assert result.request_id == "r-1"
    assert outcome.result is not None
    assert result.id != outcome.result.id
    assert last.headers["ce_id"].decode() == result.id
    assert producer.to("face.replies")[-1].value == last.value
    letters = producer.to("face.rejected")
    assert [letter.value for letter in letters] == ([b"{}"] if lane == "bulk" else [])
    assert all(x.headers["facestream_error_code"] == b"result_too_large" for x in letters)


@pytest.mark.parametrize(
    ("key", "metadata", "traceparent"),
    [
        (b"key", {"much": "x" * 9000}, TRACE),
        (b"k" * 9000, {}, TRACE),
        (b"key", {}, b"t" * 9000),
    ],
)
async def test_what_a_producer_made_too_large_to_be_echoed_is_left_out(
    producer: FakeProducer,
    publish_to: Publisher,
    key: bytes,
    metadata: dict[str, JsonValue],
    traceparent: bytes,
) -> None:
    producer.limit_bytes = 8000
    outcome = _outcome(metadata=metadata, traceparent=traceparent)
    await publish_to.publish(_event(key=key), outcome)
    last = producer.to("face.embeddings")[-1]
    assert last.confirmed.exception() is None
    assert orjson.loads(last.value or b"")["error"]["code"] == "result_too_large"
    letter = producer.to("face.rejected")[-1]
    assert letter.confirmed.exception() is None


@pytest.mark.parametrize(
    ("key", "value", "header"), [(4, 9000, 1), (9000, 1, 1), (4, 1, 9000), (9000, 9000, 9000)]
)
async def test_a_dead_letter_that_is_too_large_says_at_least_why_and_from_where(
    producer: FakeProducer, publish_to: Publisher, key: int, value: int, header: int
) -> None:
    producer.limit_bytes = 8000
    event = _event(key=b"k" * key, value=b"v" * value, headers=(("x", b"h" * header),))
    await publish_to.publish(event, Outcome(None, False, NotJson("no"), RequestHeaders()))
    letter = producer.to("face.rejected")[-1]
    assert letter.confirmed.exception() is None
    assert letter.headers["facestream_error_code"] == b"not_json"
    assert letter.headers["facestream_error_offset"] == b"41"
