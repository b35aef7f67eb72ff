"""Reply addresses that are not the edge's: nothing is sent there, and the events behind go on."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import cv2
import numpy as np
import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.topics import Topics
from stream.io.topic_admin import delete_topics
from tests.brokers import Broker, on_embedded, on_kafka
from tests.rig import Record, Rig

_LARGEST = 2**31 - 1
#: its address is allowed, and nobody has made the topic: it waits in vain, and alone
_UNKNOWN = "allowed, and not there"


@dataclass
class Scene:
    """`refused` are the addresses that get nothing, by the name of the event that gave them."""

    topics: Topics
    refused: dict[str, list[tuple[str, bytes]]]
    outputs: list[Record] = field(default_factory=list)
    replies_failed: int = 0
    in_foreign: int = 0
    known: set[str] = field(default_factory=set)

    def keys_on(self, topic: str) -> list[str]:
        return [(r.key or b"").decode() for r in self.outputs if r.topic == topic]


def _ours(topic: str, partition: int | None = None) -> list[tuple[str, bytes]]:
    where = [] if partition is None else [("reply_partition", b"%d" % partition)]
    return [("reply_to", topic.encode()), *where, ("correlation_id", b"c")]


def _springs(topic: str, partition: int | None = None) -> list[tuple[str, bytes]]:
    packed = [] if partition is None else [("kafka_replyPartition", struct.pack(">i", partition))]
    return [("kafka_replyTopic", topic.encode()), *packed, ("kafka_correlationId", b"c")]


def _refused(topics: Topics) -> dict[str, list[tuple[str, bytes]]]:
    targets = {
        "foreign": (_foreign(topics), 0),
        "not existing": (f"{topics.prefix}nowhere", None),
        "own lane": (topics.images, 0),
        "heartbeats": (topics.workers, 0),
        "dead letters": (topics.rejected, None),
        "offsets of all": ("__consumer_offsets", 0),
        "longer name": (f"{topics.replies}x", 0),
        "path": (f"{topics.replies}./../{topics.images}", 0),
        "pattern": (f"{topics.prefix}*", None),
        "long": (f"{topics.replies}." + "a" * 1000, None),
        "empty": ("", None),
        "absurd partition": (topics.replies, _LARGEST),
        "next partition": (topics.replies, 1000),
    }
    return {
        f"{name}, {whose}": headers(*target)
        for name, target in targets.items()
        for whose, headers in (("ours", _ours), ("spring's", _springs))
    }


def _foreign(topics: Topics) -> str:
    return f"{topics.prefix}secrets"


def _request(name: str) -> bytes:
    encoded, png = cv2.imencode(".png", np.full((32, 32, 3), 128, np.uint8))
    assert encoded
    image = {"data": base64.b64encode(png.tobytes()).decode()}
    return orjson.dumps({"id": name, "operation": "detect", "image": image})


async def _play(broker: Broker) -> Scene:
    """Each hostile event, and one behind it on the same partition that wants an honest reply."""
    topics = broker.topics
    scene = Scene(topics, _refused(topics))
    hostile = scene.refused | {_UNKNOWN: _ours(f"{topics.replies}.unknown")}
    environ = {"MODEL_PACK": "synthetic", "EMOTION_ENGINE": "off", "HEARTBEAT_INTERVAL_S": "0.5"}
    async with Rig(broker, workers=1, environ=environ) as rig:
        for number, (name, headers) in enumerate(hostile.items()):
            for key, address in ((name, headers), (f"behind {name}", _ours(topics.replies))):
                await rig.producer.send(
                    (topics.requests, topics.images)[number % 2],
                    _request(key),
                    key=key.encode(),
                    headers=address,
                    partition=0,
                )

        def all_done() -> bool:
            words = rig.outputs.statuses().values()
            return (
                sum(word.settled for word in words) == 2 * len(hostile)
                and len(rig.outputs.replies) >= len(hostile)
                and sum(word.replies_failed for word in words) >= len(scene.refused)
            )

        await rig.outputs.until(all_done, 30, "all settled, and the refused replies counted")
        scene.outputs = list(rig.outputs.records)
        words = rig.outputs.statuses().values()
        scene.replies_failed = sum(word.replies_failed for word in words)
    admin = AdminClient(broker.kafka_settings.librdkafka())
    scene.known = set(admin.list_topics(timeout=10).topics)
    if _foreign(topics) in scene.known:
        scene.in_foreign = _end(broker, _foreign(topics))
    return scene


def _end(broker: Broker, topic: str) -> int:
    consumer = Consumer(broker.kafka_settings.librdkafka_consumer(**{"group.id": "looks"}))
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
    finally:
        consumer.close()


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        if request.param == "embedded":
            broker = stack.enter_context(on_embedded())
        else:
            broker = stack.enter_context(on_kafka(request.getfixturevalue("apache_kafka")))
            admin = AdminClient(broker.kafka_settings.librdkafka())
            foreign = _foreign(broker.topics)
            admin.create_topics([NewTopic(foreign, 1, 1)])[foreign].result()
            stack.callback(delete_topics, broker.kafka_settings, [foreign])
        yield asyncio.run(_play(broker))


def test_who_names_a_foreign_address_has_its_result_and_no_reply(scene: Scene) -> None:
    assert set(scene.refused) <= set(scene.keys_on(scene.topics.detections))
    assert not set(scene.refused) & set(scene.keys_on(scene.topics.replies))


def test_the_events_behind_are_answered(scene: Scene) -> None:
    behind = {f"behind {name}" for name in (*scene.refused, _UNKNOWN)}
    assert set(scene.keys_on(scene.topics.replies)) == behind


def test_nothing_came_where_no_reply_belongs_and_no_topic_was_made(scene: Scene) -> None:
    assert scene.in_foreign == 0
    assert f"{scene.topics.prefix}nowhere" not in scene.known
    assert not any(name.startswith(f"{scene.topics.replies}x") for name in scene.known)
    assert scene.keys_on(scene.topics.rejected) == []
    assert not set(scene.refused) & set(scene.keys_on(scene.topics.workers))


def test_each_is_counted(scene: Scene) -> None:
    assert scene.replies_failed == len(scene.refused)
