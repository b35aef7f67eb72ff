"""`top` on both brokers tells what was published, by whoever reads Kafka alone."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from click.testing import Result as Outcome
from confluent_kafka import Consumer, Producer, TopicPartition

from cli.main import cli
from cli.observing import Observation
from cli.running import RunningBroker, announce
from schemas import wire
from schemas.errors import ImageNotFound, NotJson
from stream.io.kafka import GroupSettings
from tests.brokers import Broker

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
STATUS = orjson.loads((GOLDEN / "worker_status.json").read_bytes())
#: bold red
TROUBLE = b"\x1b[1;31m"
#: what tells a terminal to show another screen, and to show the first one again
ENTERED_SCREEN, LEFT_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
RESULT = orjson.loads((GOLDEN / "result_ok.json").read_bytes())


@pytest.fixture(autouse=True)
def _environment(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"XDG_RUNTIME_DIR": str(tmp_path), "CONSUMER_GROUP": broker.group}
    for name, value in (broker.environment | changes).items():
        monkeypatch.setenv(name, value)


class Stream:
    """Who publishes requests, and who answers them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._topics = broker.topics
        self._producer = Producer(broker.kafka_settings.librdkafka())

    def requests(self, counts: dict[int, int], *, topic: str | None = None) -> None:
        """So many by partition."""
        for partition, count in counts.items():
            for _ in range(count):
                self._producer.produce(topic or self._topics.images, b"{}", partition=partition)
        self._producer.flush()

    def commit(self, offsets: dict[int, int]) -> None:
        consumer = Consumer(
            self._broker.kafka_settings.librdkafka(
                **{"group.id": self._broker.group, "enable.auto.commit": False}
            )
        )
        places = [TopicPartition(self._topics.images, *place) for place in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    def results(self, topic: str, *timings_ms: Mapping[str, float], status: str = "ok") -> None:
        for timings in timings_ms:
            document = RESULT | {"status": status, "timings_ms": timings}
            self._producer.produce(topic, orjson.dumps(document))
        self._producer.flush()

    def rejected(self, *errors: NotJson | ImageNotFound) -> None:
        for error in errors:
            headers = wire.rejected_headers(
                [], error, topic=self._topics.images, partition=0, offset=1, source="/w"
            )
            self._producer.produce(self._topics.rejected, b"x", headers=list(headers))
        self._producer.flush()

    def heartbeat(self, **changes: Any) -> None:
        held = {topic: [0, 2] for topic in (self._topics.images, self._topics.requests)}
        status = STATUS | {"partitions": held, "at_ms": round(time.time() * 1000)} | changes
        self._producer.produce(self._topics.workers, orjson.dumps(status), key=status["id"])
        self._producer.flush()


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker)


def top(*arguments: str) -> Outcome:
    return CliRunner().invoke(cli, ["top", *arguments])


def test_once_in_json_is_true(stream: Stream) -> None:
    stream.requests({0: 30, 1: 12})
    stream.commit({0: 25})
    stream.rejected(NotJson("no"), ImageNotFound("gone"))
    stream.heartbeat(id="w-1", in_flight=5, settled=25)
    stream.heartbeat(id="w-2", in_flight=3, settled=0)
    done = top("--once", "--json", "--window", "1")
    assert done.exit_code == 0, done.output
    [line] = done.stdout.splitlines()
    told = orjson.loads(line)
    assert told["trouble"] is None
    assert told["lanes"]["bulk"]["lag"] == 5 + 12
    assert told["lanes"]["interactive"]["lag"] == 0
    assert told["lanes"]["bulk"]["in_per_second"] == 0
    assert told["in_flight"] == 8
    assert [worker["id"] for worker in told["workers"]] == ["w-1", "w-2"]
    assert told["workers"][0]["partitions"] == {"bulk": [0, 2], "interactive": [0, 2]}
    assert told["images_per_second"] == 0, "nothing came while it looked"
    assert told["rejected"] == {"on_topic": 2, "by_reason": {}}


def test_what_comes_while_it_looks_is_counted_timed_and_named(
    broker: Broker, stream: Stream
) -> None:
    topics = broker.topics
    stream.requests({0: 10}, topic=topics.requests)
    stream.results(topics.embeddings, {"detect": 1000})
    with Observation(GroupSettings(), window_s=60) as observation:
        until(observation, lambda: observation.connected)
        stream.results(topics.embeddings, *({"queue": 5, "detect": ms} for ms in range(1, 21)))
        stream.results(topics.detections, {"detect": 30}, status="no_face")
        stream.rejected(NotJson("no"), ImageNotFound("gone"), NotJson("no"))
        stream.requests({3: 7}, topic=topics.requests)
        stream.heartbeat(settled=10)

        def all_came() -> bool:
            figures = observation.figures()
            return (
                sum(known.events for known in figures.stages.values()) == 41
                and figures.rejected.on_topic == 3
                and sum(figures.rejected.by_reason.values()) == 3
                and figures.lanes["interactive"].lag == 17
                and bool(figures.workers)
            )

        until(observation, all_came)
        figures = observation.figures()
    assert figures.operations["embed"].by_status == {"ok": 20, "no_face": 0, "failed": 0}
    assert figures.operations["detect"].by_status == {"ok": 0, "no_face": 1, "failed": 0}
    assert (figures.stages["detect"].p50_ms, figures.stages["detect"].p95_ms) == (11, 20)
    assert (figures.stages["queue"].p50_ms, figures.stages["queue"].events) == (5, 20)
    assert figures.rejected.by_reason == {"not_json": 2, "image_not_found": 1}


def until(observation: Observation, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, observation.figures()
        observation.advance(0.05)


def test_the_screen_is_printed_and_drawn_and_nothing_is_committed(
    stream: Stream, tmp_path: Path
) -> None:
    stream.requests({0: 3})
    stream.heartbeat()
    picture = tmp_path / "top.svg"
    assert top("--once", "--window", "1", "--svg", str(picture)).stdout == ""
    assert "host-1a2b3c4d-0" in picture.read_text()
    printed = top("--once", "--window", "1").stdout
    assert "host-1a2b3c4d-0 running  0,2          0,2" in printed
    assert "3 behind" in printed
    assert max(map(len, printed.splitlines())) <= 80


@contextmanager
def live(**environ: str) -> Iterator[Callable[[bytes], bytes]]:
    """`top` on a terminal; gives what shows what it has written until then, and ends it by q."""
    own, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    told = {name: value for name, value in os.environ.items() if name not in environ} | environ
    command = (sys.executable, "-m", "cli.main", "top")
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=told) as process:
        try:
            yield partial(read_until, own)
            os.write(own, b"q")
            read_until(own, LEFT_SCREEN)
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert termios.tcgetattr(theirs) == before, "the terminal is as it was"
    os.close(own)
    os.close(theirs)


def read_until(terminal: int, wanted: bytes) -> bytes:
    shown = b""
    deadline = time.monotonic() + 20
    while wanted not in shown:
        assert time.monotonic() < deadline, shown[-2000:]
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536)
    assert b"Traceback" not in shown
    return shown


def test_it_fills_a_terminal_of_its_own_until_q(stream: Stream) -> None:
    stream.requests({0: 3})
    with live() as until_shown:
        assert ENTERED_SCREEN in until_shown(b"3\x1b[0m behind")


def test_without_a_broker_it_says_so_and_finds_that_of_an_up_that_starts_later(
    broker: Broker, stream: Stream, tmp_path: Path
) -> None:
    stream.requests({0: 4})
    with live(KAFKA_BOOTSTRAP_SERVERS="", KAFKA_EMBEDDED="") as until_shown:
        until_shown(TROUBLE)
        running = RunningBroker(
            bootstrap_servers=broker.bootstrap_servers,
            embedded=broker.embedded,
            topic_prefix=broker.topic_prefix,
            blob_store_url=str(tmp_path),
        )
        with announce(running):
            until_shown(b"4\x1b[0m behind")
