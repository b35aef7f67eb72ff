"""A worker that is frozen for longer than its session, and thawed, under a backlog."""

from __future__ import annotations

import asyncio
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

_FROZEN_S = 12.0


@pytest.mark.timeout(300)
async def test_a_frozen_workers_partitions_go_on_without_it_and_it_comes_back_behind_nobody(
    apache_kafka: ApacheKafka,
    shared: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    events = 2000 if soak else 1000
    with on_kafka(apache_kafka) as broker:
        async with backlog(broker, shared, events) as fleet:
            pids = fleet.rig.supervisor.pids
            assert fleet.rig.settings.session_timeout_s * 1.5 < _FROZEN_S
            await fleet.worked_off(0.2)
            since = time.monotonic()
            os.kill(pids[0], signal.SIGSTOP)
            try:
                await asyncio.sleep(_FROZEN_S)
            finally:
                os.kill(pids[0], signal.SIGCONT)
            fleet.assert_in_the_middle()
            outcome = await fleet.outcome(2, f"a worker frozen for {_FROZEN_S:.0f} s", since)
            fault_row(outcome)
            assert fleet.rig.supervisor.pids == pids, "it comes back by itself"
            statuses = fleet.rig.outputs.statuses().values()

    fleet.assert_none_lost(outcome)
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < LONGEST_RECOVERY_S
    # Expelled, and taken in again: two generations after the first.
    assert len(fleet.log.generations) >= 3
    assert all(status.partitions for status in statuses)
