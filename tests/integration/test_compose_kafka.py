"""Apache Kafka as docker-compose.yml sets it up, by the program that its image starts with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient

from cli.main import cli
from schemas.topics import DEFAULT_PARTITIONS
from tests.apache_kafka import ApacheKafka, KafkaUnavailable, _free_ports
from tests.conftest import skip_or_fail

SERVICES = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())[
    "services"
]


@contextmanager
def as_composed(folder: Path) -> Iterator[str]:
    """Its address for those inside. Addresses and folders are of this test, all else of compose."""
    try:
        kafka = ApacheKafka(folder)
    except KafkaUnavailable as unavailable:
        skip_or_fail(str(unavailable))
    inside, controller = _free_ports(2)
    here = {
        "HOST://:9092": f"HOST://{kafka.bootstrap_servers}",
        "HOST://localhost:9092": f"HOST://{kafka.bootstrap_servers}",
        "INSIDE://:19092": f"INSIDE://127.0.0.1:{inside}",
        "INSIDE://kafka:19092": f"INSIDE://127.0.0.1:{inside}",
        "CONTROLLER://:29093": f"CONTROLLER://127.0.0.1:{controller}",
        "1@kafka:29093": f"1@127.0.0.1:{controller}",
        "/var/lib/kafka/data": str(folder / "data"),
    }
    environ = {name: value for name, value in os.environ.items() if "KAFKA" not in name}
    for name, value in SERVICES["kafka"]["environment"].items():
        environ[name] = ",".join(here.get(part, part) for part in str(value).split(","))
    (folder / "defaults").mkdir()
    (folder / "mounted").mkdir()
    setup = ["kafka.docker.KafkaDockerWrapper", "setup"]
    setup += ["--default-configs-dir", str(folder / "defaults")]
    setup += ["--mounted-configs-dir", str(folder / "mounted")]
    setup += ["--final-configs-dir", str(folder)]
    done = subprocess.run(
        [*kafka._java, *setup], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HOST://" in (folder / "server.properties").read_text()
    try:
        kafka.start()
        yield f"127.0.0.1:{inside}"
    finally:
        kafka.stop()


def test_kafka_starts_with_what_compose_tells_it_and_the_topics_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_composed(tmp_path) as address:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", address)
        for state in ("created", "ok"):
            made = CliRunner().invoke(cli, SERVICES["topics"]["command"])
            assert made.exit_code == 0, made.output
            assert state in made.output
        topics = AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics
    assert len(topics["face.images"].partitions) == DEFAULT_PARTITIONS
