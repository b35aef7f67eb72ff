"""`facestream rejected` on both brokers: dead letters are listed, shown, repaired and replayed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import cv2
import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from click.testing import Result as Outcome

from cli.following import Record
from cli.main import cli
from cli.snapshot import Snapshot
from schemas import wire
from schemas.errors import CrashedWorker, FacestreamError, ImageNotFound, NotJson
from stream.io.producer import Producer
from tests.brokers import Broker
from tests.rig import Rig, by_reference

POISON = b'\xff{"no": json'


@pytest.fixture(autouse=True)
def _environment(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (broker.environment | {"XDG_RUNTIME_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)


def rejected(*arguments: str, answer: str | None = None) -> Outcome:
    return CliRunner().invoke(cli, ["rejected", *arguments], input=answer)


def listed(*arguments: str) -> list[dict[str, object]]:
    done = rejected("list", "--json", *arguments)
    assert done.exit_code == 0, done.output
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def on(broker: Broker, topic: str) -> list[Record]:
    with Snapshot(broker.kafka_settings, topic) as snapshot:
        return list(snapshot.read())


def reject(
    broker: Broker, error: FacestreamError, value: bytes | None, *, topic: str | None = None
) -> None:
    """A dead letter as a worker writes it."""
    headers = wire.rejected_headers(
        [("reply_to", b"face.replies"), ("kept", b"\x00\xff")],
        error,
        topic=topic or broker.topics.images,
        partition=1,
        offset=7,
        source="/w",
    )
    asyncio.run(publish(broker, value, headers))


async def publish(broker: Broker, value: bytes | None, headers: wire.Headers | None = None) -> None:
    async with Producer(broker.kafka_settings.librdkafka()) as producer:
        await producer.send(broker.topics.rejected, value, key=b"key", headers=headers, partition=0)


@pytest.mark.timeout(120)
async def test_what_was_repaired_is_settled_by_a_replay_and_what_was_not_is_counted(
    broker: Broker, tmp_path: Path
) -> None:
    photograph = tmp_path / "late.png"
    request = by_reference(photograph, metadata={"album": "summer"})
    nameless = {"operation": "detect", "image": {"uri": photograph.as_uri()}}
    callers: wire.Headers = [
        ("before", b"\x00\xff"),
        ("kafka_replyTopic", broker.topics.replies.encode()),
        ("kafka_replyPartition", b"\x00\x00\x00\x00"),
        ("kafka_correlationId", b"\x01"),
        ("deadline", str(round(time.time() * 1000) + 600_000).encode()),
        ("after", b"1"),
    ]
    environ = {
        "MODEL_PACK": "synthetic",
        "EMOTION_ENGINE": "off",
        "DET_SIZE": "128",
        "IMAGE_SOURCES": f"{tmp_path.as_uri()}/",
    }
    async with Rig(broker, workers=1, environ=environ) as rig:
        outputs = rig.outputs

        async def until_rejected(count: int) -> None:
            await outputs.until(lambda: len(outputs.rejected) >= count, 30, f"{count} dead letters")

        await rig.publish([request, nameless], partition=0, headers=callers)
        await rig.publish([POISON], partition=1, headers=[("header", b"\xfe")])
        await until_rejected(3)
        first_id = f"{broker.topics.images}-0-1"
        failures = outputs.by_request()
        assert {failures[name].status for name in ("late.png", first_id)} == {"failed"}

        noise = np.random.default_rng(6).integers(0, 255, (200, 200, 3), np.uint8)
        photograph.write_bytes(cv2.imencode(".png", noise)[1].tobytes())
        done = await asyncio.to_thread(rejected, "replay", "--yes")
        assert done.exit_code == 0, done.output
        assert "3 replayed" in done.output
        await until_rejected(4)
        await outputs.until(
            lambda: all(
                outputs.by_request()[name].status != "failed" for name in ("late.png", first_id)
            ),
            30,
            "the results of what was repaired",
        )
        again = await asyncio.to_thread(rejected, "replay", "--yes")
        assert "1 dead letter: 1 not_json to replay" in again.output
        assert "3 left out: replayed before" in again.output
        await until_rejected(5)

    repaired = outputs.by_request()
    assert repaired["late.png"].metadata == {"album": "summer"}
    assert repaired["late.png"].id != failures["late.png"].id
    assert len(outputs.replies) == 2, "a replay is answered to nobody"

    records = on(broker, broker.topics.images)
    sent = {
        (record.value, dict(record.headers).get("facestream_replays")): record for record in records
    }
    assert len(sent) == len(records) == 7
    replayed = sent[orjson.dumps(request), b"1"]
    assert replayed.key == b"key-0"
    assert replayed.headers == (
        ("before", b"\x00\xff"),
        ("after", b"1"),
        ("facestream_replays", b"1"),
    )
    assert sent[POISON, b"2"].headers[0] == ("header", b"\xfe")
    assert sent[POISON, b"2"].key == b"key-0"

    letters = await asyncio.to_thread(listed, "--reason", "not_json")
    assert sorted(letter["replays"] for letter in letters if letter["replayed_at"]) == [0, 1]  # type: ignore[type-var]  # numbers
    assert [letter["replays"] for letter in letters if not letter["replayed_at"]] == [2]


def test_nothing_is_sent_without_a_yes_and_nothing_by_a_dry_run(broker: Broker) -> None:
    reject(broker, NotJson("no"), b"x")
    for done in (
        rejected("replay", answer="n\n"),
        rejected("replay", answer=""),
        rejected("replay", "--dry-run"),
    ):
        assert "1 dead letter: 1 not_json to replay" in done.output
    assert on(broker, broker.topics.images) == []
    assert listed()[0]["replayed_at"] is None
    assert rejected("replay", answer="y\n").exit_code == 0
    assert [record.value for record in on(broker, broker.topics.images)] == [b"x"]
    assert listed()[0]["replayed_at"] is not None


def test_interactive_ones_go_to_the_bulk_lane_and_those_that_killed_must_be_named(
    broker: Broker,
) -> None:
    reject(broker, NotJson("no"), b"interactive", topic=broker.topics.requests)
    reject(broker, CrashedWorker("3 workers died"), b"crashing")
    reject(broker, ImageNotFound("gone"), None)
    first = rejected("replay", "--yes")
    assert first.exit_code == 0
    assert "1 left out: they killed workers" in first.output
    assert "1 left out: without bytes" in first.output
    [sent] = on(broker, broker.topics.images)
    assert (sent.value, sent.key) == (b"interactive", b"key")
    assert sent.headers[0] == ("kept", b"\x00\xff")
    assert on(broker, broker.topics.requests) == []

    assert rejected("replay", "--yes", "--reason", "crashed_worker").exit_code == 0
    assert rejected("replay", "--yes", "0:1").output.startswith("Nothing to replay")
    assert rejected("replay", "--yes", "--again", "0:1").exit_code == 0
    values = sorted(record.value or b"" for record in on(broker, broker.topics.images))
    assert values == [b"crashing", b"crashing", b"interactive"]


def test_one_is_shown_by_its_place_and_its_bytes_are_written_raw(broker: Broker) -> None:
    request = orjson.dumps({"id": "r-1", "image": {"uri": "http://u:secret@example.com/a?b=c"}})
    reject(broker, NotJson("why it was"), request)
    reject(broker, NotJson("why it was"), POISON)
    for name in ("0:0", "r-1"):
        shown = rejected("show", name)
        assert shown.exit_code == 0
        assert "not_json: why it was" in shown.output
        assert '"uri": "http://example.com/a"' in shown.output
        assert rejected("show", name, "--raw").stdout_bytes == request
    assert rejected("show", "0:1", "--raw").stdout_bytes == POISON
    missing = rejected("show", "0:2")
    assert missing.exit_code == 1
    assert "there is no dead letter 0:2" in missing.stderr
    named = rejected("replay", "--yes", "0:1", "0:9")
    assert named.exit_code == 1
    assert "0:9: there is no such dead letter" in named.stderr
    assert [record.value for record in on(broker, broker.topics.images)] == [POISON]


def test_the_list_is_filtered_and_counted(broker: Broker) -> None:
    assert "0 dead letters" in rejected("list").output
    reject(broker, NotJson("no"), b"x")
    reject(broker, ImageNotFound("gone"), b"{}", topic=broker.topics.requests)
    asyncio.run(publish(broker, b"somebody else's"))
    everything = rejected("list")
    assert "2 dead letters: 1 not_json, 1 image_not_found" in everything.output
    assert "left out, for they are no dead letters: 1 records" in everything.stderr
    assert [letter["offset"] for letter in listed("--reason", "image_not_found")] == [1]
    assert [letter["offset"] for letter in listed("--topic", "requests")] == [1]
    assert [letter["offset"] for letter in listed("--since", "1h")] == [0, 1]
    assert listed("--until", "1h") == []
    assert rejected("list", "--since", "yesterday").exit_code == 2
