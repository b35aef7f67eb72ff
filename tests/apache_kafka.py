"""A real Apache Kafka for tests: one KRaft node from Maven's jars, on the machine's Java.

`python -m tests.apache_kafka COMMAND…` runs a command that finds it in KAFKA_BOOTSTRAP_SERVERS.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.io.kafka import KafkaSettings
from tests.broker_security import BrokerSecurity

_POM = Path(__file__).with_name("pom.xml")
_CACHE = Path(__file__).parents[1] / ".cache"
#: base64 of sixteen bytes, as Kafka wants its ids
_CLUSTER_ID = "ZmFjZXN0cmVhbS10ZXN0cw"
_HEAP = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_FETCH_TIMEOUT_S = 600.0
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_PR_SET_PDEATHSIG = 1

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=8454144
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
"""
_PLAIN = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


class KafkaUnavailable(RuntimeError):
    """This machine cannot run it: no Java, no Maven, no jars."""


class KafkaFailed(RuntimeError):
    """It was started and does not answer. The end of its log is in the message."""


def fetched_jars(cache: Path = _CACHE) -> Path:
    """The folder of Kafka's jars, fetched once a version of `tests/pom.xml`.

    Raises `KafkaUnavailable`.
    """
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = ET.parse(_POM).findtext("m:properties/m:kafka.version", None, namespace)
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]
    jars = cache / f"kafka-{version}-{digest}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("Maven (mvn), which fetches Apache Kafka's jars, is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        command = [maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
        try:
            subprocess.run(
                [*command, f"-DoutputDirectory={folder}/jars"],
                check=True,
                capture_output=True,
                text=True,
                timeout=_FETCH_TIMEOUT_S,
            )
        except subprocess.CalledProcessError as error:
            raise KafkaUnavailable(f"Maven fetched no jars: {error.stdout[-2000:]}") from None
        except subprocess.TimeoutExpired:
            raise KafkaUnavailable(f"Maven took longer than {_FETCH_TIMEOUT_S:.0f} s") from None
        # another run may have been quicker: then its folder stands
        with contextlib.suppress(OSError):
            Path(folder, "jars").rename(jars)
    return jars


class ApacheKafka:
    """Runs while the `with` block lasts, and dies with the process that started it.

    It keeps its port and its data over `stop()` and `start()`.
    """

    def __init__(self, folder: Path, security: BrokerSecurity | None = None) -> None:
        """folder: an empty one, for its data and its log. Raises `KafkaUnavailable`."""
        java = shutil.which("java")
        if java is None:
            raise KafkaUnavailable("Java, which runs Apache Kafka, is not installed")
        self._java = [java, *_HEAP, "-Dlog4j2.level=INFO", "-cp", f"{fetched_jars()}/*"]
        self._properties = folder / "server.properties"
        self.log_path = folder / "kafka.log"
        port, ssl_port, controller_port = _free_ports(3)
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self.security = security
        #: for clients with a certificate, where there is `security`
        self.ssl_bootstrap_servers = f"127.0.0.1:{ssl_port}"
        listeners = (
            _PLAIN.format(port=port, controller_port=controller_port)
            if security is None
            else security.properties(port, ssl_port, controller_port)
        )
        self._properties.write_text(
            _PROPERTIES.format(controller_port=controller_port, data=folder / "data") + listeners
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client_settings(self) -> dict[str, str]:
        """How it is reached, beside its address."""
        return {} if self.security is None else self.security.by_password

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID]
        tool += ["-c", str(self._properties)]
        users = [] if self.security is None else self.security.format_arguments
        with self.log_path.open("ab") as log:
            subprocess.run([*self._java, *tool, *users], check=True, stdout=log, stderr=log)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers. Raises `KafkaFailed`."""
        assert self._process is None
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # started before the tests' threads
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """As an operator would; killed when that takes more than 20 s."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _wait_until_it_answers(self) -> None:
        process = self._process
        assert process is not None
        given = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers, **self.client_settings}
        settings = KafkaSettings.model_validate({name.lower(): given[name] for name in given})
        quickly = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 100, "log_level": 0}
        client = AdminClient(settings.librdkafka(**quickly, error_cb=lambda _: None))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(KafkaException):
                if client.list_topics(timeout=1).brokers:
                    return
        log = self.log_path.read_text(errors="replace")[-3000:]
        raise KafkaFailed(f"Apache Kafka does not answer (exit code {process.poll()}):\n{log}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def die_with_parent() -> None:
    """For `preexec_fn`: a test run that is killed leaves nothing behind (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Ends with the command's exit code, and the broker with it."""
    with tempfile.TemporaryDirectory() as folder, ApacheKafka(Path(folder)) as kafka:
        environ = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
        done = subprocess.run(sys.argv[1:], env=environ, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
