"""Workers that join and leave under a backlog: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.supervisor import Supervisor
from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.faults.backlog import LONGEST_RECOVERY_S, Backlog, backlog
from tests.faults.outcome import FaultOutcome


@pytest.mark.timeout(400)
async def test_workers_that_join_and_leave_repeat_nothing(
    apache_kafka: ApacheKafka,
    shared: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    events, rebalances = (2500, 10) if soak else (800, 4)
    with on_kafka(apache_kafka) as broker:
        async with backlog(broker, shared, events) as fleet:
            ids = set(fleet.rig.outputs.statuses())
            settings = fleet.rig.settings.model_copy(update={"max_workers": 1})
            since = time.monotonic()
            async with fleet.lasting():
                for _ in range(rebalances // 2):
                    async with Supervisor(settings, fleet.rig.environ) as joining:
                        await joining.ready()
                        await _held(fleet, ids, lambda held: held < broker.partitions)
                    await _held(fleet, ids, lambda held: held == broker.partitions)
            took_s = time.monotonic() - since
            fleet.assert_in_the_middle()
            fault = f"{rebalances} rebalances in {took_s:.0f} s"
            outcome = await fleet.outcome(5, fault, since)
            fault_row(outcome)

    fleet.assert_none_lost(outcome)
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < LONGEST_RECOVERY_S
    assert len(fleet.log.generations) > rebalances


async def _held(fleet: Backlog, ids: set[str], wanted: Callable[[int], bool]) -> None:
    """Wait until the workers of these ids hold so many partitions of the bulk lane."""
    outputs = fleet.rig.outputs
    topic = fleet.rig.topics.images

    def met() -> bool:
        statuses = outputs.statuses()
        return wanted(sum(len(statuses[each].partitions.get(topic, ())) for each in ids))

    await outputs.until(met, 40, "the rebalance")
