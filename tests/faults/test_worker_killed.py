"""`kill -9` of the workers under a backlog: nothing is lost, and the stream goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.faults.backlog import LONGEST_RECOVERY_S, backlog
from tests.faults.outcome import FaultOutcome


@pytest.mark.timeout(400)
async def test_each_worker_killed_in_turn_loses_nothing_and_is_replaced(
    apache_kafka: ApacheKafka,
    shared: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    events = 2000 if soak else 1000
    with on_kafka(apache_kafka) as broker:
        async with backlog(broker, shared, events) as fleet:
            before = fleet.rig.supervisor.pids
            await fleet.worked_off(0.15)
            since = time.monotonic()
            os.kill(before[0], signal.SIGKILL)
            await fleet.worked_off(0.45)  # while the other has work of its own left
            os.kill(before[1], signal.SIGKILL)
            outcome = await fleet.outcome(1, "`kill -9` of each worker in turn", since)
            fault_row(outcome)
            await fleet.rig.supervisor.ready()
            after = fleet.rig.supervisor.pids

    fleet.assert_none_lost(outcome)
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < LONGEST_RECOVERY_S
    assert len(after) == len(before) == 2
    assert not set(before) & set(after)
