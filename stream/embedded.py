"""The embedded broker: librdkafka's mock cluster, as a small process of its own.

It serves a demo, local development and fast tests. It keeps everything in memory, of each
partition only the newest 5 MiB (librdkafka offers no way to change that; a single event above
that size is lost unless it is the partition's first), knows no CreateTopics, no transactions
worth the name and no disk, and chooses its own port. It proves nothing about faults, and the
members of one consumer group must use one client library.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Topics

logger = logging.getLogger(__name__)

#: librdkafka's rdkafka_mock.c sets it for each partition and exports nothing to change it
RETAINED_BYTES_PER_PARTITION = 5 * 1024 * 1024
#: a new group waits so long for its first members, so that workers started together share at once:
#: one that comes later makes the group wait for a session's length less a second
INITIAL_REBALANCE_DELAY_MS = 500
NOTICE = (
    "embedded broker at %s: librdkafka's mock cluster, for demo and development. It keeps the "
    "newest 5 MiB of each partition, in memory alone; it is no production broker"
)
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_PARENT_CHECK_S = 0.5
_CONNECT_EACH_S = 0.005
_RD_KAFKA_PRODUCER = 0


class EmbeddedBrokerFailed(RuntimeError):
    """The broker's process did not start."""


class EmbeddedBroker:
    """Runs the broker while the `with` block lasts; the process ends with its parent, too.

    The topics of `prefix` exist from the start with `partitions` each (`schemas.topics` says
    which have fewer). Any other topic appears on first use, with 4.
    """

    def __init__(
        self,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = DEFAULT_PARTITIONS,
        initial_rebalance_delay_ms: int = INITIAL_REBALANCE_DELAY_MS,
    ) -> None:
        self.prefix = prefix
        self.partitions = partitions
        self._delay_ms = initial_rebalance_delay_ms
        self._process: subprocess.Popen[str] | None = None
        self._bootstrap_servers: str | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`. Raises RuntimeError outside the `with` block."""
        if self._bootstrap_servers is None:
            raise RuntimeError("the embedded broker is not running")
        return self._bootstrap_servers

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the embedded broker is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        """Raises `EmbeddedBrokerFailed` when the process ends or says nothing within 30 s."""
        command = [sys.executable, "-m", "stream.embedded", "--prefix", self.prefix]
        command += ["--partitions", str(self.partitions)]
        command += ["--initial-rebalance-delay-ms", str(self._delay_ms)]
        # a session of its own: Ctrl-C in the terminal is for the parent, which stops it last
        self._process = subprocess.Popen(  # noqa: S603  # our own module and our own numbers
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._bootstrap_servers = self._address()
        except BaseException:
            self._stop()
            raise
        logger.warning(NOTICE, self._bootstrap_servers)
        threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Who uses it would wait for ever, and never hear why."""
        exit_code = process.wait()
        if self._process is process:  # nobody has stopped it
            logger.critical("the embedded broker died, and all it held: exit code %d", exit_code)

    def _address(self) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = threading.Timer(_START_TIMEOUT_S, process.kill)
        deadline.start()
        try:
            line = process.stdout.readline()
        finally:
            deadline.cancel()
        if not line:
            raise EmbeddedBrokerFailed(
                f"the embedded broker did not start (exit code {process.wait()}); "
                "its own message is above"
            )
        address: str = json.loads(line)["bootstrap_servers"]
        return address

    def _stop(self) -> None:
        process, self._process, self._bootstrap_servers = self._process, None, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _library() -> ctypes.CDLL:
    """The wheel's own librdkafka, through the extension module that links it."""
    from confluent_kafka import cimpl

    library = ctypes.CDLL(cimpl.__file__)
    pointer = ctypes.c_void_p
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        (
            "rd_kafka_conf_set",
            ctypes.c_int,
            [pointer, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t],
        ),
        (
            "rd_kafka_new",
            pointer,
            [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t],
        ),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, ctypes.c_int]),
        ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, [pointer]),
        (
            "rd_kafka_mock_topic_create",
            ctypes.c_int,
            [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
        ),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _start_cluster(topics: dict[str, int], initial_rebalance_delay_ms: int) -> str:
    """Start the mock cluster in this process, for its lifetime. Returns its address."""
    library = _library()
    reason = ctypes.create_string_buffer(512)
    config: Any = library.rd_kafka_conf_new()
    # the client that holds the cluster has no broker of its own, and need not warn of that
    library.rd_kafka_conf_set(config, b"log_level", b"3", reason, len(reason))
    client: Any = library.rd_kafka_new(_RD_KAFKA_PRODUCER, config, reason, len(reason))
    if not client:
        raise EmbeddedBrokerFailed(reason.value.decode(errors="replace"))
    cluster: Any = library.rd_kafka_mock_cluster_new(client, 1)
    if not cluster:
        raise EmbeddedBrokerFailed("librdkafka made no mock cluster")
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, initial_rebalance_delay_ms)
    address: str = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    with _kept_awake(address):
        for name, partitions in topics.items():
            error = library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
            if error:
                raise EmbeddedBrokerFailed(f"topic {name} was refused: librdkafka error {error}")
    return address


@contextmanager
def _kept_awake(address: str) -> Iterator[None]:
    """While the block lasts somebody connects again and again.

    On a busy machine librdkafka's thread misses a call to create a topic, and sleeps for a second.
    """
    host, port = address.split(":")
    created = threading.Event()

    def connect() -> None:
        while not created.wait(_CONNECT_EACH_S):
            with suppress(OSError):
                socket.create_connection((host, int(port)), timeout=1.0).close()

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        created.set()
        thread.join()


def _wait_for_the_end() -> None:
    """Until standard input closes, as it does when the parent ends, or the parent is another."""
    parent = os.getppid()
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _PARENT_CHECK_S)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            return


def main() -> None:
    """Print `{"bootstrap_servers": …}` and serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m stream.embedded", description=__doc__)
    parser.add_argument("--prefix", default=DEFAULT_PREFIX)
    parser.add_argument("--partitions", type=int, default=DEFAULT_PARTITIONS)
    parser.add_argument(
        "--initial-rebalance-delay-ms", type=int, default=INITIAL_REBALANCE_DELAY_MS
    )
    options = parser.parse_args()
    topics = {
        spec.name: spec.partitions for spec in Topics(options.prefix).specs(options.partitions)
    }
    address = _start_cluster(topics, options.initial_rebalance_delay_ms)
    sys.stdout.write(json.dumps({"bootstrap_servers": address}) + "\n")
    sys.stdout.flush()
    try:
        _wait_for_the_end()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
