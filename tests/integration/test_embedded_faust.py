"""Faust workers of one group on the embedded broker, each a process of its own."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.apache_kafka import die_with_parent
from tests.brokers import Broker

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 30.0


class _Member:
    """A worker process, and what it says: each word with the time at which it was heard."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.heard: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self.holds: list[int] = []
        self.got: dict[str, float] = {}
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{") and line.endswith("\n"):  # a kill may cut the last one
                self.heard.put((time.time(), json.loads(line)))

    def take_in(self) -> None:
        while not self.heard.empty():
            at, word = self.heard.get()
            self.holds = word.get("holds", self.holds)
            if "got" in word:
                self.got[word["got"]] = at


@contextmanager
def _member(broker: Broker, follower_pause_s: float = 0.0) -> Iterator[_Member]:
    command = [sys.executable, "-m", "tests.integration.faust_member", str(follower_pause_s)]
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env=os.environ | broker.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # nothing there takes a lock
    ) as process:
        member = _Member(process)
        try:
            yield member
        finally:
            process.kill()
            member.listener.join()  # it reads what this block closes


def _wait_for_shares(*members: _Member) -> None:
    """Until every member holds some of the 8 partitions, and together they hold each once."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        for member in members:
            member.take_in()
        together = sorted(number for member in members for number in member.holds)
        if together == list(range(8)) and all(member.holds for member in members):
            return
        time.sleep(0.02)
    pytest.fail(f"not shared out: {[member.holds for member in members]}")


def test_two_workers_started_together_share_the_partitions_and_hear_of_events_at_once(
    embedded_broker: Broker,
) -> None:
    with _member(embedded_broker) as one, _member(embedded_broker) as other:
        _wait_for_shares(one, other)
        assert len(one.holds) == len(other.holds) == 4
        producer = Producer(embedded_broker.kafka_settings.librdkafka(log_level=0))
        sent: dict[str, float] = {}
        for number in range(24):
            sent[str(number)] = time.time()
            producer.produce(embedded_broker.topics.images, str(number), partition=number % 8)
            producer.flush(_PATIENCE_S)
        deadline = time.monotonic() + _PATIENCE_S
        while len(one.got | other.got) < len(sent) and time.monotonic() < deadline:
            one.take_in()
            other.take_in()
            time.sleep(0.01)
    assert len(one.got) == len(other.got) == 12
    got = one.got | other.got
    delays = sorted(got[name] - sent[name] for name in sent)
    assert delays[len(delays) // 2] < 0.5, "Faust's own 1.5 s of polling are at work"


def test_a_worker_that_joins_later_gets_its_share(embedded_broker: Broker) -> None:
    with _member(embedded_broker) as one:
        _wait_for_shares(one)
        with _member(embedded_broker) as other:
            _wait_for_shares(one, other)
            assert len(one.holds) == len(other.holds) == 4


def test_a_follower_that_syncs_too_late_joins_again(embedded_broker: Broker) -> None:
    """Unadjusted, it lives on without partitions: the mock's answer is fatal to aiokafka."""
    with _member(embedded_broker, 1.0) as one, _member(embedded_broker, 1.0) as other:
        _wait_for_shares(one, other)
