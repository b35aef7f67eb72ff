"""Every kind of address, deadline and broken event, once through real workers on both brokers.

They are published together, and each test looks at what became of its own.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import orjson
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka.admin import AdminClient
from numpy.typing import NDArray
from skimage import data

from schemas import wire
from schemas.results import Result, WorkerStatus
from schemas.topics import MAX_MESSAGE_BYTES, Topics
from tests.brokers import Broker, on_embedded, on_kafka
from tests.rig import Record, Rig

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#: no UTF-8, and a byte that ends a string in C
CORRELATION = b"\xff\x00\xfe"
_METADATA = {"album": [1, None, {"deep": 1.5}], "name": "Ünïcode"}
_DEEP = b"[" * 253 + b"]" * 253
#: addresses that no reply can be sent to
_NOWHERE = ("foreign", "own lane", "illegal name", "no such partition")


@dataclass
class Scene:
    """What was published, and everything that came out."""

    topics: Topics
    partitions: int
    embedded: bool
    outputs: list[Record] = field(default_factory=list, repr=False)
    statuses: list[WorkerStatus] = field(default_factory=list)
    status_keys: set[bytes | None] = field(default_factory=set)
    known_topics: set[str] = field(default_factory=set)
    pids_before: list[int] = field(default_factory=list)
    pids_after: list[int] = field(default_factory=list)

    def on(self, topic: str, name: str) -> list[Record]:
        """The records of a case on a topic: its key is its name."""
        return [r for r in self.outputs if r.topic == topic and r.key == name.encode()]

    def result(self, name: str, operation: str = "embed") -> Record:
        topic = {"embed": self.topics.embeddings, "detect": self.topics.detections}[operation]
        [record] = self.on(topic, name)
        return record

    def reply(self, name: str) -> Record:
        [record] = self.on(self.topics.replies, name)
        return record

    def letter(self, name: str) -> Record:
        [record] = self.on(self.topics.rejected, name)
        return record

    def partition_of(self, name: str) -> int:
        """Where Java's clients, and so ours, send a key."""
        return int((murmur2(name.encode()) & 0x7FFFFFFF) % self.partitions)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    bulk: bool = False
    partition: int = 0


def _inline(image: NDArray[np.uint8]) -> dict[str, str]:
    encoded, jpeg = cv2.imencode(".jpg", image)
    assert encoded
    return {"data": base64.b64encode(jpeg.tobytes()).decode()}


def _cases(topics: Topics) -> list[Case]:
    somebody = _inline(np.ascontiguousarray(data.astronaut()[:128, 160:288, ::-1]))
    nobody = _inline(np.full((64, 64, 3), 128, np.uint8))

    def request(name: str, **more: Any) -> bytes:
        return orjson.dumps({"id": name, "operation": "embed", "image": somebody, **more})

    def named(name: str, *headers: tuple[str, bytes], bulk: bool = False) -> Case:
        return Case(name, request(name), headers, bulk)

    ours = ("reply_to", topics.replies.encode())
    correlation = ("correlation_id", CORRELATION)
    spring = ("kafka_replyTopic", topics.replies.encode())
    spring_correlation = ("kafka_correlationId", CORRELATION)
    past = ("deadline", b"%d" % round((time.time() - 60) * 1000))
    future = ("deadline", b"%d" % round((time.time() + 600) * 1000))
    deep = request("too deep", metadata={"a": 1}).replace(b'"a":1', b'"a":' + _DEEP)
    return [
        named("ours", ours, ("reply_partition", b"3"), correlation, future, ("traceparent", TRACE)),
        named("ours by key", ours, correlation),
        named("ours in the bulk lane", ours, ("reply_partition", b"1"), correlation, bulk=True),
        named("spring", spring, ("kafka_replyPartition", struct.pack(">i", 5)), spring_correlation),
        named("spring by key", spring, spring_correlation),
        named("no reply wanted", ("traceparent", TRACE)),
        named("foreign", ("reply_to", f"{topics.prefix}foreign".encode()), correlation),
        named("own lane", ("reply_to", topics.images.encode()), correlation),
        named("illegal name", ("reply_to", f"{topics.replies}.\0".encode())),
        named("no such partition", ours, ("reply_partition", b"5000"), correlation),
        Case("metadata", request("metadata", metadata=_METADATA), (ours, correlation)),
        Case("no id", request("no id", id=None), bulk=True, partition=7),
        Case("no face", request("no face", image=nobody), (ours, correlation)),
        Case("detect", request("detect", operation="detect"), (ours, correlation)),
        named("too late", ours, correlation, past),
        named("too late in the bulk lane", past, bulk=True),
        Case("no request", b'{"id": "claimed", "operation": "guess"}', (ours, correlation)),
        Case("no JSON", b"\xff\xd8", (ours, correlation), bulk=True),
        Case("no JSON, nobody waits", b"\xff\xd8"),
        named("no deadline", ours, correlation, ("deadline", b"soon")),
        named("no partition", ours, ("reply_partition", b"99999999999")),
        Case("too deep", deep, (ours, correlation), bulk=True),
        Case("tombstone", None, (("x", b"kept"),)),
        Case("bulk tombstone", None, (ours, correlation), bulk=True),
        Case("twice", request("twice"), bulk=True, partition=1),
        Case("twice", request("twice"), bulk=True, partition=2),
    ]


def _as_large_as_may_be() -> Case:
    """What is echoed leaves no room for the result, with faces or without, nor for a reason."""
    request = {"id": "large", "operation": "embed", "image": {"data": "YQ=="}}
    frame_bytes = 300
    filling = "x" * (MAX_MESSAGE_BYTES - frame_bytes - len(orjson.dumps(request)))
    return Case("large", orjson.dumps({**request, "metadata": {"much": filling}}), bulk=True)


async def _play(broker: Broker) -> Scene:
    topics = broker.topics
    cases = _cases(topics)
    if not broker.embedded:  # it keeps 5 MiB of a partition
        cases.append(_as_large_as_may_be())
    scene = Scene(topics, broker.partitions, broker.embedded)
    environ = {"MODEL_PACK": "synthetic", "EMOTION_ENGINE": "off", "HEARTBEAT_INTERVAL_S": "0.5"}
    async with Rig(broker, environ=environ) as rig:
        scene.pids_before = rig.supervisor.pids
        for case in cases:
            await rig.producer.send(
                topics.images if case.bulk else topics.requests,
                case.value,
                key=case.name.encode(),
                headers=list(case.headers),
                partition=case.partition,
            )

        def counted() -> bool:
            words = rig.outputs.statuses().values()
            settled = sum(word.settled for word in words)
            return settled >= len(cases) and sum(word.replies_failed for word in words) >= 4

        await rig.outputs.until(counted, 30, "all settled, and the failed replies counted")
        await asyncio.sleep(0.5)  # for what should not come
        scene.outputs = list(rig.outputs.records)
        scene.statuses = list(rig.outputs.statuses().values())
        scene.status_keys = {record.key for record in rig.outputs.on(topics.workers)}
        scene.pids_after = rig.supervisor.pids
    admin = AdminClient(broker.kafka_settings.librdkafka())
    scene.known_topics = set(admin.list_topics(timeout=10).topics)
    return scene


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        if request.param == "embedded":
            broker = stack.enter_context(on_embedded())
        else:
            kafka = request.getfixturevalue("apache_kafka")
            broker = stack.enter_context(on_kafka(kafka))
        yield asyncio.run(_play(broker))


def test_no_event_stops_a_worker(scene: Scene) -> None:
    assert scene.pids_after == scene.pids_before


@pytest.mark.parametrize(
    ("name", "partition", "header"),
    [
        ("ours", 3, "correlation_id"),
        ("ours in the bulk lane", 1, "correlation_id"),
        ("spring", 5, "kafka_correlationId"),
    ],
)
def test_a_reply_goes_to_its_partition_with_the_correlation_as_it_came(
    scene: Scene, name: str, partition: int, header: str
) -> None:
    reply = scene.reply(name)
    assert reply.partition == partition
    assert reply.headers[header] == CORRELATION
    assert {"correlation_id", "kafka_correlationId"} & set(reply.headers) == {header}
    assert reply.result.request_id == name
    assert reply.result.status == "ok"


@pytest.mark.parametrize("name", ["ours by key", "spring by key", "metadata", "no face"])
def test_a_reply_without_a_partition_goes_where_its_key_leads(scene: Scene, name: str) -> None:
    assert scene.reply(name).partition == scene.partition_of(name)


@pytest.mark.parametrize("name", ["ours", "ours by key", "spring", "no face", "too late"])
def test_a_reply_is_the_published_result_byte_by_byte(scene: Scene, name: str) -> None:
    reply, result = scene.reply(name), scene.result(name)
    assert reply.value == result.value
    assert reply.headers.items() >= result.headers.items()


def test_results_go_where_their_key_leads(scene: Scene) -> None:
    for name in ("ours", "no reply wanted", "twice"):
        for record in scene.on(scene.topics.embeddings, name):
            assert record.partition == scene.partition_of(name)


def test_who_asked_for_no_reply_gets_none(scene: Scene) -> None:
    assert scene.result("no reply wanted").result.status == "ok"
    assert scene.on(scene.topics.replies, "no reply wanted") == []


@pytest.mark.parametrize("name", _NOWHERE)
def test_a_reply_that_cannot_be_sent_holds_up_nothing(scene: Scene, name: str) -> None:
    assert scene.result(name).result.status == "ok"
    assert scene.on(scene.topics.replies, name) == []
    assert scene.on(scene.topics.rejected, name) == []


def test_replies_that_cannot_be_sent_are_counted_and_make_no_topics(scene: Scene) -> None:
    assert sum(status.replies_failed for status in scene.statuses) == len(_NOWHERE)
    assert f"{scene.topics.prefix}foreign" not in scene.known_topics


def test_a_trace_is_passed_on(scene: Scene) -> None:
    assert scene.result("ours").headers["traceparent"] == TRACE
    assert scene.reply("ours").headers["traceparent"] == TRACE
    assert scene.result("no reply wanted").headers["traceparent"] == TRACE
    assert "traceparent" not in scene.result("spring").headers


def test_metadata_is_echoed(scene: Scene) -> None:
    assert scene.result("metadata").result.metadata == _METADATA


def test_a_request_without_an_id_is_known_by_where_it_stands(scene: Scene) -> None:
    assert scene.result("no id").result.request_id == f"{scene.topics.images}-7-0"


def test_the_same_request_twice_has_the_same_result_id(scene: Scene) -> None:
    first, second = scene.on(scene.topics.embeddings, "twice")
    assert first.result.id == second.result.id
    assert first.headers["ce_id"] == second.headers["ce_id"]
    assert first.result.id == wire.result_id("twice", "embed", first.result.model)


def test_an_image_of_nobody_has_no_face(scene: Scene) -> None:
    result = scene.result("no face").result
    assert (result.status, result.error, result.faces) == ("no_face", None, [])
    assert scene.on(scene.topics.rejected, "no face") == []


def test_each_operation_has_its_topic(scene: Scene) -> None:
    result = scene.result("detect", "detect").result
    assert result.operation == "detect"
    assert result.faces[0].embedding is None
    assert scene.on(scene.topics.embeddings, "detect") == []


@pytest.mark.parametrize("name", ["too late", "too late in the bulk lane"])
def test_what_nobody_waits_for_any_more_is_not_computed(scene: Scene, name: str) -> None:
    record = scene.result(name)
    result = record.result
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "deadline_passed"
    assert set(result.timings_ms) <= {"queue"}
    in_bulk = "bulk" in name
    assert len(scene.on(scene.topics.rejected, name)) == in_bulk
    assert len(scene.on(scene.topics.replies, name)) == (not in_bulk)


@pytest.mark.parametrize(
    ("name", "code", "request_id"),
    [
        ("no request", "unknown_operation", "claimed"),
        ("no JSON", "not_json", None),
        ("no deadline", "invalid_request", "no deadline"),
        ("too deep", "invalid_request", "too deep"),
        ("bulk tombstone", "not_json", None),
    ],
)
def test_who_waits_is_told_that_his_bytes_are_no_request(
    scene: Scene, name: str, code: str, request_id: str | None
) -> None:
    reply = scene.reply(name)
    assert reply.headers["correlation_id"] == CORRELATION
    assert reply.headers["ce_type"] == b"facestream.failure.v1"
    result: Result = reply.result
    assert (result.status, result.operation) == ("failed", None)
    assert result.error is not None
    assert result.error.code == code
    if request_id is None:
        assert result.request_id.startswith(scene.topics.images)
    else:
        assert result.request_id == request_id
    assert scene.letter(name).headers["facestream_error_code"] == code.encode()
    assert scene.on(scene.topics.embeddings, name) == []


@pytest.mark.parametrize("name", ["no JSON, nobody waits", "no partition", "tombstone"])
def test_bytes_that_are_no_request_are_dead_lettered(scene: Scene, name: str) -> None:
    letter = scene.letter(name)
    assert letter.headers["facestream_error_topic"] == scene.topics.requests.encode()
    assert letter.headers["facestream_error_partition"] == b"0"
    assert scene.on(scene.topics.replies, name) == []


def test_a_dead_letter_is_what_came(scene: Scene) -> None:
    assert scene.letter("no JSON").value == b"\xff\xd8"
    assert scene.letter("no JSON").headers["correlation_id"] == CORRELATION
    assert scene.letter("tombstone").value == b""
    assert scene.letter("tombstone").headers["x"] == b"kept"


def test_what_is_too_large_to_be_echoed_is_left_out_and_the_stream_goes_on(scene: Scene) -> None:
    if scene.embedded:
        pytest.skip("the embedded broker keeps 5 MiB of a partition")
    [result] = [r for r in scene.outputs if b'"request_id":"large"' in r.value]
    assert result.result.error is not None
    assert result.result.error.code == "result_too_large"
    assert result.result.metadata == {}
    letter = scene.letter("large")
    assert letter.headers["facestream_error_code"] == b"result_too_large"
    assert letter.value == b""


def test_workers_tell_what_they_hold_and_what_they_compute_with(scene: Scene) -> None:
    assert len(scene.statuses) == 2
    assert scene.status_keys == {status.id.encode() for status in scene.statuses}
    for topic in (scene.topics.images, scene.topics.requests):
        held = [number for status in scene.statuses for number in status.partitions[topic]]
        assert sorted(held) == list(range(scene.partitions))
    for status in scene.statuses:
        assert status.state == "running"
        assert status.pid in scene.pids_after
        assert status.models is not None
        assert status.models.pack == "synthetic"
        assert status.in_flight == 0
