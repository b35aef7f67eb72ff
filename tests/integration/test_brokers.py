"""What both brokers do, what Apache Kafka alone does, and how the embedded one lives and dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it lacks an `__all__`
    AdminClient,
    NewTopic,
)

from cli.main import cli
from schemas.topics import MAX_MESSAGE_BYTES, Topics
from stream.embedded import EmbeddedBroker
from stream.io.topic_admin import TopicsFailed, ensure_topics
from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, BrokerMaker, on_kafka

_PATIENCE_S = 20.0


def _published(broker: Broker, topic: str, count: int, size: int = 100) -> None:
    producer = Producer(broker.kafka_settings.librdkafka(**{"linger.ms": 0, "log_level": 0}))
    refused: list[KafkaError] = []
    for number in range(count):
        producer.produce(
            topic,
            key=b"key-%d" % number,
            value=b"%d:" % number + b"x" * size,
            headers=[("ce_id", b"%d" % number), ("ce_id", b"again")],
            on_delivery=lambda error, _message: refused.append(error) if error else None,
        )
    assert producer.flush(_PATIENCE_S) == 0
    assert refused == []


def _read(broker: Broker, topic: str, count: int) -> list[Message]:
    """The first `count` events, or what came in time."""
    config = {"group.id": broker.group, "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer(broker.kafka_settings.librdkafka_consumer(**config))
    try:
        consumer.subscribe([topic])
        messages: list[Message] = []
        deadline = time.monotonic() + _PATIENCE_S
        while len(messages) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                messages.append(message)
    finally:
        consumer.close()
    return messages


def test_an_event_comes_back_with_its_key_and_its_headers_in_order(broker: Broker) -> None:
    _published(broker, broker.topics.images, 40)
    messages = _read(broker, broker.topics.images, 40)
    assert sorted(message.key() or b"" for message in messages) == sorted(
        b"key-%d" % number for number in range(40)
    )
    for message in messages:
        number = (message.value() or b"").split(b":")[0]
        assert message.key() == b"key-" + number
        assert message.headers() == [("ce_id", number), ("ce_id", b"again")]


def test_the_topics_have_the_partitions_that_were_asked_for(make_broker: BrokerMaker) -> None:
    broker = make_broker(partitions=3)
    client = AdminClient(broker.kafka_settings.librdkafka(log_level=0))
    found = {name: len(topic.partitions) for name, topic in client.list_topics().topics.items()}
    for spec in broker.topics.specs(3):
        assert found[spec.name] == spec.partitions


def test_a_result_of_three_megabytes_passes(broker: Broker) -> None:
    _published(broker, broker.topics.embeddings, 1, size=3_000_000)
    (message,) = _read(broker, broker.topics.embeddings, 1)
    assert len(message.value() or b"") == 3_000_002


class TestApacheKafka:
    def test_the_topics_are_created_with_their_settings_and_found_right_the_second_time(
        self, apache_kafka: ApacheKafka
    ) -> None:
        with on_kafka(apache_kafka, partitions=4) as broker:
            again = {state.name: state for state in ensure_topics(broker.kafka_settings, 4)}
        assert {state.state for state in again.values()} == {"ok"}
        for spec in broker.topics.specs(4):
            assert again[spec.name].partitions == spec.partitions
            assert again[spec.name].config.items() >= spec.config.items()
            assert again[spec.name].config["max.message.bytes"] == str(MAX_MESSAGE_BYTES)
        assert "compact" in again[broker.topics.workers].config["cleanup.policy"]

    def test_a_topic_that_would_refuse_or_drop_events_differs_and_is_left_as_it_is(
        self, apache_kafka: ApacheKafka
    ) -> None:
        broker = Broker(apache_kafka.bootstrap_servers, False, "differing.", 8)
        client = AdminClient(broker.kafka_settings.librdkafka())
        config = {"cleanup.policy": "compact", "max.message.bytes": "1000000"}
        client.create_topics([NewTopic(broker.topics.images, 2, config=config)])[
            broker.topics.images
        ].result()
        for _ in range(2):
            states = {state.name: state for state in ensure_topics(broker.kafka_settings)}
            assert states[broker.topics.images].differences == (
                "2 partitions, 8 are wanted",
                f"max.message.bytes is 1000000, {MAX_MESSAGE_BYTES} is wanted",
                "cleanup.policy is compact: events of one key would be dropped",
            )
        assert states[broker.topics.requests].state == "ok"

    def test_the_command_creates_then_agrees_then_objects(self, apache_kafka: ApacheKafka) -> None:
        environment = Broker(apache_kafka.bootstrap_servers, False, "cmd.", 8).environment
        run = CliRunner(env={**environment, "COLUMNS": "120"})

        created = run.invoke(cli, ["topics", "--partitions", "2"])
        assert created.exit_code == 0, created.output
        assert created.output.count("created") == len(Topics("cmd.").specs(2))
        assert "max.message.bytes=8388608" in created.output

        found = run.invoke(cli, ["topics", "--partitions", "2", "--replication", "1"])
        assert found.exit_code == 0, found.output
        assert found.output.count(" ok ") == len(Topics("cmd.").specs(2))

        wanting = run.invoke(cli, ["topics", "--partitions", "4"])
        assert wanting.exit_code == 1
        assert "2 partitions, 4 are wanted" in wanting.output

    def test_it_comes_back_on_its_port_with_its_data(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with ApacheKafka(tmp_path_factory.mktemp("own")) as kafka, on_kafka(kafka, 1) as broker:
            _published(broker, broker.topics.images, 3)
            kafka.stop()
            kafka.start()
            assert len(_read(broker, broker.topics.images, 3)) == 3
            kafka.freeze()
            client = AdminClient(broker.kafka_settings.librdkafka(log_level=0))
            with pytest.raises(KafkaException):
                client.list_topics(timeout=0.5)
            kafka.thaw()
            assert client.list_topics(timeout=_PATIENCE_S).topics


def test_a_cluster_that_cannot_be_asked_is_one_clear_sentence() -> None:
    nobody = Broker("127.0.0.1:9", False, "face.", 8)
    with pytest.raises(TopicsFailed, match=r"^127\.0\.0\.1:9: .*"):
        ensure_topics(nobody.kafka_settings, timeout_s=0.5)
    embedded = Broker("127.0.0.1:9", True, "face.", 8)
    run = CliRunner(env=embedded.environment).invoke(cli, ["topics"])
    assert run.exit_code == 1
    assert run.output == (
        "Error: the embedded broker has its topics from the start, and no others\n"
    )


_PARENT = """
import os, sys
from stream.embedded import EmbeddedBroker
with EmbeddedBroker() as broker:
    print(broker.pid, flush=True)
    sys.stdin.read()
"""


class TestEmbeddedBroker:
    def test_it_ends_with_its_block(self, caplog: pytest.LogCaptureFixture) -> None:
        with EmbeddedBroker() as broker:
            process = psutil.Process(broker.pid)
            assert process.is_running()
        assert not process.is_running()
        assert "died" not in caplog.text
        with pytest.raises(RuntimeError, match="not running"):
            _ = broker.bootstrap_servers

    def test_it_ends_with_its_parent_even_when_that_is_killed(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", _PARENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as parent:
            assert parent.stdout is not None
            broker = psutil.Process(int(parent.stdout.readline()))
            parent.send_signal(signal.SIGKILL)
        psutil.wait_procs([broker], timeout=_PATIENCE_S)
        assert not broker.is_running()

    def test_it_says_what_it_is_and_what_it_is_not(self, caplog: pytest.LogCaptureFixture) -> None:
        with EmbeddedBroker() as broker:
            assert broker.bootstrap_servers in caplog.text
        assert "newest 5 MiB of each partition" in caplog.text
        assert "no production broker" in caplog.text

    def test_its_death_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        with EmbeddedBroker("told", 1) as broker:
            psutil.Process(broker.pid).kill()
            deadline = time.monotonic() + _PATIENCE_S
            while "the embedded broker died" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.01)
        assert "the embedded broker died, and all it held: exit code -9" in caplog.text

    def test_it_keeps_only_the_newest_five_mebibytes_of_a_partition(
        self, embedded_broker: Broker
    ) -> None:
        """A limit, not a promise: whoever publishes more at once must know."""
        topic = embedded_broker.topics.workers
        _published(embedded_broker, topic, 9, size=1_000_000)
        kept = [(message.value() or b"")[:1] for message in _read(embedded_broker, topic, 5)]
        assert kept == [b"4", b"5", b"6", b"7", b"8"]
