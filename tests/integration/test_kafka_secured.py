"""Everything over Apache Kafka with TLS and SASL/SCRAM, and what is said to who is not let in."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import cv2
import orjson
import pytest
from skimage import data

from tests.apache_kafka import ApacheKafka, KafkaUnavailable
from tests.broker_security import BrokerSecurity
from tests.brokers import on_kafka
from tests.conftest import skip_or_fail
from tests.running_edge import running_edge

_KEY = "a-key-of-this-test"
_WRONG = "not-the-password-of-anybody"
_MODELS = {"MODEL_PACK": "synthetic", "EMOTION_ENGINE": "off", "DET_SIZE": "128"}
_COMMAND = (sys.executable, "-m", "cli.main")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    folder = tmp_path_factory.mktemp("secured-kafka")
    try:
        running = ApacheKafka(folder, BrokerSecurity(folder / "security"))
    except KafkaUnavailable as unavailable:
        skip_or_fail(str(unavailable))
    with running:
        yield running


@pytest.fixture
def security(kafka: ApacheKafka) -> BrokerSecurity:
    assert kafka.security is not None
    return kafka.security


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), data.astronaut()[:128, 160:288, ::-1])
    return path


def run(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command to its end; the environment names nothing else of Kafka."""
    return subprocess.run(
        [*_COMMAND, *arguments],
        env=_environ(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _environ(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return {**kept, "API_KEY": _KEY, "PORT": "0", "HOST": "127.0.0.1", **_MODELS, **settings}


@asynccontextmanager
async def running_worker(settings: Mapping[str, str], path: Path) -> AsyncIterator[None]:
    """`facestream worker`, ready; `path` has what it and its processes write."""
    with path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*_COMMAND, "worker", "--workers", "1"),
            env=_environ(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                said = await process.stdout.readline()
            assert said.startswith(b"Ready:"), said
            yield
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _posted(url: str, image: bytes) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "image/png"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v1/extract-embedding", data=image, headers=headers) as response,
    ):
        return response.status, await response.read()


async def test_an_image_goes_from_end_to_end_and_the_password_is_nowhere(
    kafka: ApacheKafka, security: BrokerSecurity, photograph: Path, tmp_path: Path
) -> None:
    worker_log = tmp_path / "worker.log"
    image = photograph.read_bytes()  # noqa: ASYNC240 - nothing runs yet
    with on_kafka(kafka, 2) as broker:
        settings = {**broker.environment, "DEBUG": "true", "BLOB_STORE_URL": str(tmp_path / "b")}
        topics = await asyncio.to_thread(run, settings, "topics", "--partitions", "2")
        async with (
            running_worker(settings, worker_log),
            running_edge(broker, tmp_path, _KEY, DEBUG="true") as edge,
        ):
            status, answer = await _posted(edge.url, image)
            order = ("publish", str(photograph), "--operation", "embed", "--wait")
            published = await asyncio.to_thread(run, settings, *order)
        reading = ("consume", "embeddings", "--from-beginning", "--json")
        limits = ("--count", "2", "--timeout", "20")
        consumed = await asyncio.to_thread(run, settings, *reading, *limits)

    assert topics.returncode == 0, topics.stderr
    assert status == 200
    assert published.returncode == 0, published.stderr
    assert consumed.returncode == 0, consumed.stderr
    results = [orjson.loads(line) for line in consumed.stdout.splitlines()]
    embeddings = [result["faces"][0]["embedding"] for result in results]
    assert embeddings == [orjson.loads(answer)["embedding"]] * 2

    logs = [worker_log.read_text(), edge.log.read_text()]
    assert "holds" in logs[0]
    assert '"status":200' in logs[1]
    said = [done.stdout + done.stderr for done in (topics, published, consumed)]
    assert security.password not in "".join([*said, *logs])


def test_a_client_may_show_a_certificate_instead(
    kafka: ApacheKafka, security: BrokerSecurity
) -> None:
    reached = {"KAFKA_BOOTSTRAP_SERVERS": kafka.ssl_bootstrap_servers}
    done = run({**reached, **security.by_certificate, "TOPIC_PREFIX": "certified."}, "topics")
    assert done.returncode == 0, done.stderr
    assert "certified.requests" in done.stdout


@pytest.mark.parametrize("command", ["topics", "publish", "consume", "worker", "edge", "up"])
def test_every_command_ends_and_names_the_settings_where_the_password_is_wrong(
    kafka: ApacheKafka, security: BrokerSecurity, photograph: Path, command: str
) -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        **security.by_password,
        "KAFKA_SASL_PASSWORD": _WRONG,
    }
    done = run(environ, command, *([str(photograph)] if command == "publish" else []))
    assert done.returncode == 1
    assert "KAFKA_SASL_PASSWORD" in done.stderr
    assert kafka.bootstrap_servers in done.stderr
    assert "Traceback" not in done.stderr
    assert _WRONG not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"KAFKA_SASL_USERNAME": "nobody"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SASL_MECHANISM": "PLAIN"}, "KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SSL_CA_LOCATION": "a stranger's"}, "KAFKA_SSL_CA_LOCATION"),
        ({"KAFKA_SSL_CA_LOCATION": ""}, "KAFKA_SSL_CA_LOCATION"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "another name"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_SSL_CERTIFICATE_LOCATION": "none"}, "KAFKA_SSL_CERTIFICATE_LOCATION"),
    ],
)
def test_who_is_not_let_in_is_told_which_setting_to_look_at(
    kafka: ApacheKafka, security: BrokerSecurity, change: dict[str, str], named: str
) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, **security.by_password, **change}
    if change.get("KAFKA_SSL_CA_LOCATION"):
        environ["KAFKA_SSL_CA_LOCATION"] = str(security.stranger)
    if "KAFKA_BOOTSTRAP_SERVERS" in change:  # the certificate is for an address
        port = kafka.bootstrap_servers.rpartition(":")[2]
        environ["KAFKA_BOOTSTRAP_SERVERS"] = f"localhost:{port}"
    if "KAFKA_SSL_CERTIFICATE_LOCATION" in change:
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.ssl_bootstrap_servers,
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_LOCATION": str(security.authority),
        }
    done = run(environ, "topics")
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert security.password not in done.stdout + done.stderr
