"""`publish` and `consume` on a broker, with a stand-in for the workers that answers at once."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pytest
from click.testing import CliRunner
from click.testing import Result as Outcome
from confluent_kafka import Consumer, Producer, TopicPartition

from cli.main import cli
from cli.running import RunningBroker, announce, default_path
from schemas import wire
from schemas.errors import NotJson
from schemas.requests import Request, parse_request
from schemas.results import ErrorInfo, ImageInfo, Result
from tests.brokers import Broker

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
ANALYSED = Result.model_validate_json((GOLDEN / "result_analysis.json").read_bytes())
SMALL, LARGE = b"\xff\xd8\xff" + bytes(100), b"\xff\xd8\xff" + bytes(200_000)


class Answerer:
    """Answers requests twice each; `bad` in a file's name fails, `silent` has no answer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.requests: list[Request] = []
        self.keys: list[bytes] = []
        self.unanswered_at_most = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        settings, topics = self._broker.kafka_settings, self._broker.topics
        consumer = Consumer(settings.librdkafka_consumer(**{"group.id": "answerer"}))
        producer = Producer(settings.librdkafka())
        partitions = range(self._broker.partitions)
        consumer.assign([TopicPartition(topics.images, number, 0) for number in partitions])
        while not self._stop.is_set():
            batch = consumer.consume(200, 0.05)
            self.unanswered_at_most = max(self.unanswered_at_most, len(batch))
            for message in batch:
                request = parse_request(message.value())
                key = message.key()
                assert isinstance(key, bytes)
                self.requests.append(request)
                self.keys.append(key)
                if (answer := answer_to(request)) is None:
                    continue
                for _ in range(2):
                    topic = topics.result(request.operation)
                    producer.produce(topic, wire.dumps(answer), key=key)
            producer.flush()
        consumer.close()


def answer_to(request: Request) -> Result | None:
    file = str(request.metadata.get("file"))
    if "silent" in file:
        return None
    assert request.id is not None
    changes: dict[str, Any] = {
        "id": wire.result_id(request.id, request.operation, ANALYSED.model),
        "request_id": request.id,
        "operation": request.operation,
        "metadata": request.metadata,
    }
    if "bad" in file:
        changes |= {
            "status": "failed",
            "error": ErrorInfo(code="damaged_image", message="it is cut off"),
            "image": ImageInfo(uri=None, sha256=None, width=None, height=None),
            "faces": [],
        }
    return ANALYSED.model_copy(update=changes)


@pytest.fixture
def answerer(embedded_broker: Broker) -> Iterator[Answerer]:
    with Answerer(embedded_broker) as answering:
        yield answering


@pytest.fixture
def environment(
    embedded_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    changes = embedded_broker.environment | {
        "BLOB_STORE_URL": str(tmp_path / "blobs"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    return changes


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SMALL)
    return folder


def facestream(*arguments: str | Path) -> Outcome:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.usefixtures("environment")
def test_with_wait_each_photograph_has_its_line_and_the_total_is_right(
    answerer: Answerer, photos: Path
) -> None:
    done = facestream("publish", photos, "--wait", "--operation", "analyze", "--max-faces", "1")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert sorted(line.split()[0] for line in lines[1:-1]) == [
        "Ann/1.jpg",
        "Ann/2.jpg",
        "Bob/1.jpg",
    ]
    assert lines[-1].startswith("3 published, 3 ok, 0 no_face, 0 failed, 3 faces in ")
    assert {(r.operation, r.max_faces) for r in answerer.requests} == {("analyze", 1)}
    assert len({request.id for request in answerer.requests}) == 3


@pytest.mark.usefixtures("environment")
def test_nothing_travels_inline_on_the_embedded_broker(
    answerer: Answerer, photos: Path, tmp_path: Path
) -> None:
    facestream("publish", photos, "--wait")
    stored = [request.image.uri or "" for request in answerer.requests]
    assert all(uri.startswith((tmp_path / "blobs" / "images").as_uri()) for uri in stored)
    assert len(set(stored)) == 3


def test_elsewhere_small_files_travel_inline_and_large_ones_as_blobs(
    environment: dict[str, str],
    answerer: Answerer,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_EMBEDDED", "false")
    (photos / "Bob" / "1.jpg").write_bytes(LARGE)
    assert facestream("publish", photos, "--wait").exit_code == 0
    by_name = {request.metadata["file"]: request.image for request in answerer.requests}
    assert by_name["Ann/1.jpg"].decode_data() == SMALL
    assert by_name["Bob/1.jpg"].data is None
    assert Path((by_name["Bob/1.jpg"].uri or "").removeprefix("file://")).read_bytes() == LARGE


@pytest.mark.usefixtures("environment")
def test_by_reference_and_addresses_send_addresses_alone(
    answerer: Answerer, photos: Path, tmp_path: Path
) -> None:
    facestream("publish", photos, "s3://bucket/key.jpg", "--by-reference", "--wait")
    sent = {request.image.uri for request in answerer.requests}
    assert sent == {"s3://bucket/key.jpg", *(p.as_uri() for p in photos.rglob("*.jpg"))}
    assert not (tmp_path / "blobs").exists()


@pytest.mark.usefixtures("environment")
def test_the_key_is_what_its_template_says_else_the_requests_id(
    answerer: Answerer, photos: Path
) -> None:
    facestream("publish", photos, "--wait", "--key", "who:{folder}")
    assert sorted(answerer.keys) == [b"who:Ann", b"who:Ann", b"who:Bob"]
    facestream("publish", photos / "Bob", "--wait")
    assert answerer.keys[-1].decode() == answerer.requests[-1].id


@pytest.mark.usefixtures("environment", "answerer")
def test_a_failure_and_an_empty_file_are_told_and_exit_with_1(photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(SMALL)
    (photos / "empty.jpg").touch()
    done = facestream("publish", photos, "--wait")
    assert done.exit_code == 1
    assert "damaged_image: it is cut off" in done.output
    assert "unsent   the file is empty" in done.output
    assert "4 published, 1 not, 3 ok, 0 no_face, 1 failed" in done.output


@pytest.mark.usefixtures("environment", "answerer")
def test_where_nobody_answers_it_is_given_up_in_time(photos: Path) -> None:
    (photos / "silent.jpg").write_bytes(SMALL)
    done = facestream("publish", photos, "--wait", "--timeout", "0.5")
    assert done.exit_code == 1
    assert "no result for 0.5 s, 1 outstanding: is a worker running?" in done.output
    assert "1 without a result" in done.output


@pytest.mark.usefixtures("environment")
def test_many_photographs_are_never_more_than_the_bound_under_way(
    answerer: Answerer, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(400):
        (folder / f"{number}.jpg").write_bytes(SMALL)
    done = facestream("publish", folder, "--wait", "--outstanding", "16")
    assert done.exit_code == 0
    assert "400 published, 400 ok" in done.output
    assert answerer.unanswered_at_most <= 16


@pytest.mark.usefixtures("environment")
def test_without_wait_it_publishes_and_is_done(answerer: Answerer, photos: Path) -> None:
    done = facestream("publish", photos)
    assert done.exit_code == 0
    assert done.output.startswith("3 published in ")
    deadline = time.monotonic() + 10
    while len(answerer.requests) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(answerer.requests) == 3


@pytest.mark.usefixtures("answerer")
def test_the_broker_of_a_running_up_is_found_without_being_named(
    embedded_broker: Broker, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in embedded_broker.environment:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    running = RunningBroker(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        embedded=True,
        topic_prefix=embedded_broker.topic_prefix,
        blob_store_url=str(tmp_path / "theirs"),
    )
    with announce(running, default_path()):
        assert facestream("publish", photos, "--wait").exit_code == 0
    assert len(list((tmp_path / "theirs" / "images").iterdir())) == 3


def test_a_broker_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.following._ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    for arguments in (["publish", __file__], ["consume"]):
        done = facestream(*arguments)
        assert done.exit_code == 1
        assert done.output.startswith("Error: no broker answers at 127.0.0.1:1 (")
        assert len(done.output.splitlines()) == 1


@pytest.mark.usefixtures("environment", "answerer")
def test_consume_shows_each_result_once_although_it_came_twice(photos: Path) -> None:
    facestream("publish", photos, "--wait")
    done = facestream("consume", "--from-beginning", "--timeout", "0.6")
    assert done.exit_code == 0
    names = [line.split()[0] for line in done.output.splitlines()]
    assert sorted(names) == ["Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg", "image"]


@pytest.mark.usefixtures("environment", "answerer")
def test_consume_json_prints_the_events_and_stops_at_count(photos: Path) -> None:
    facestream("publish", photos, "--wait")
    done = facestream("consume", "--from-beginning", "--json", "--count", "2")
    results = [Result.model_validate_json(line) for line in done.output.splitlines()]
    assert len({result.id for result in results}) == 2
    assert facestream("consume", "--count", "1", "--timeout", "0.3").exit_code == 1


@pytest.mark.usefixtures("environment", "answerer")
def test_consume_writes_a_row_for_each_face_to_parquet(photos: Path, tmp_path: Path) -> None:
    parquet = importlib.import_module("pyarrow.parquet")
    facestream("publish", photos, "--wait", "--operation", "analyze")
    out = tmp_path / "faces.parquet"
    done = facestream("consume", "analyses", "--from-beginning", "--timeout", "0.6", "--out", out)
    assert done.exit_code == 0, done.output
    table = parquet.read_table(out)
    assert table.num_rows == 3
    assert str(table.schema.field("embedding").type).startswith("fixed_size_list<")
    (row,) = table.slice(0, 1).to_pylist()
    face = ANALYSED.faces[0]
    assert row["embedding"] == pytest.approx(face.embedding)
    assert row["bbox"] == list(face.bbox)
    assert (row["age"], row["gender"], row["emotion"], row["face"]) == (47, "female", "happy", 0)
    assert orjson.loads(row["metadata"])["file"].endswith(".jpg")


def test_ctrl_c_ends_a_parquet_file_in_order(
    environment: dict[str, str], answerer: Answerer, photos: Path, tmp_path: Path
) -> None:
    parquet = importlib.import_module("pyarrow.parquet")
    facestream("publish", photos, "--wait")
    out = tmp_path / "faces.parquet"
    command = [sys.executable, "-m", "cli.main", "consume", "--from-beginning", "--out", str(out)]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not out.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert told.decode().strip() == f"{parquet.read_table(out).num_rows} events in {out}"


def test_parquet_without_pyarrow_says_what_to_install(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = facestream("consume", "--timeout", "0.1", "--out", tmp_path / "a.parquet")
    assert done.exit_code == 1
    assert "facestream[parquet]" in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "a.csv"],
        ["--out", "a.jsonl", "--json"],
        ["rejected", "--out", "a.parquet"],
    ],
)
def test_options_that_do_not_fit_are_a_usage_error(arguments: list[str]) -> None:
    assert facestream("consume", *arguments).exit_code == 2


@pytest.mark.usefixtures("environment")
def test_dead_letters_show_why_and_from_where(embedded_broker: Broker, tmp_path: Path) -> None:
    headers = wire.rejected_headers(
        [], NotJson("not JSON: no"), topic="face.images", partition=2, offset=40, source="/w"
    )
    producer = Producer(embedded_broker.kafka_settings.librdkafka())
    for value in (b"\xff\x00", b"text", None):
        producer.produce(embedded_broker.topics.rejected, value, headers=list(headers))
    producer.flush()
    shown = facestream("consume", "rejected", "--from-beginning", "--count", "3").output
    assert "face.images[2]@40  not_json: not JSON: no  (2 bytes)" in shown
    assert "(no value)" in shown
    out = tmp_path / "rejected.jsonl"
    facestream("consume", "rejected", "--from-beginning", "--count", "3", "--out", out)
    letters = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    values = {letter.get("value", letter.get("value_base64")) for letter in letters}
    assert values == {"/wA=", "text", None}
    assert {letter["code"] for letter in letters} == {"not_json"}


@pytest.mark.usefixtures("environment")
def test_what_is_no_result_is_told_and_left_out(embedded_broker: Broker) -> None:
    producer = Producer(embedded_broker.kafka_settings.librdkafka())
    for value in (b"[]", b"{}", b"\xff", wire.dumps(ANALYSED)):
        producer.produce(embedded_broker.topics.embeddings, value)
    producer.flush()
    done = facestream("consume", "--from-beginning", "--timeout", "0.6")
    assert done.exit_code == 0
    assert done.stderr.count("is no event of this contract and is left out") == 3
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.usefixtures("environment")
def test_workers_show_what_they_hold(embedded_broker: Broker) -> None:
    producer = Producer(embedded_broker.kafka_settings.librdkafka())
    producer.produce(
        embedded_broker.topics.workers, (GOLDEN / "worker_status.json").read_bytes(), key=b"w"
    )
    producer.flush()
    done = facestream("consume", "workers", "--from-beginning", "--count", "1")
    assert done.output.startswith("host-1a2b3c4d-0  running  buffalo_l  1042 settled, 5 in flight")
