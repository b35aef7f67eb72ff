"""SIGTERM of `facestream worker` under a backlog: it finishes what it has, and the others go on."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.results import WorkerStatus
from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.faults.backlog import LONGEST_RECOVERY_S, backlog
from tests.faults.outcome import FaultOutcome

_WORKER_TIMEOUT_S = 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("stopping", "number", "fault"),
    [(1, 10, "SIGTERM of one of two workers"), (2, 11, "SIGTERM of two of three workers at once")],
)
async def test_stopped_workers_end_in_time_with_0_and_repeat_nothing(
    apache_kafka: ApacheKafka,
    shared: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
    stopping: int,
    number: int,
    fault: str,
) -> None:
    events = 1500 if soak else 400
    with on_kafka(apache_kafka) as broker:
        async with backlog(broker, shared, events, workers=1) as fleet:
            outputs = fleet.rig.outputs
            staying = set(outputs.statuses())

            def joined() -> list[WorkerStatus]:
                words = outputs.statuses().values()
                return [status for status in words if status.id not in staying]

            def held_by(ids: set[str]) -> int:
                held = (outputs.statuses()[each].partitions for each in ids)
                return sum(len(each.get(fleet.rig.topics.images, ())) for each in held)

            command = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cli.main", "worker", "--workers", f"{stopping}"),
                env={**fleet.rig.environ, "WORKER_TIMEOUT": f"{_WORKER_TIMEOUT_S}"},
                stdout=asyncio.subprocess.PIPE,
            )
            assert command.stdout is not None
            async with fleet.lasting():
                assert (await command.stdout.readline()).startswith(b"Ready")
                await outputs.until(
                    lambda: sum(one.settled > 0 for one in joined()) == stopping,
                    30,
                    "its share in the work",
                )
                since = time.monotonic()
                command.send_signal(signal.SIGTERM)
                assert await command.wait() == 0
                took_s = time.monotonic() - since
                await outputs.until(
                    lambda: held_by(staying) == broker.partitions, 20, "the others with its share"
                )
                handed_over_s = time.monotonic() - since - took_s
            fleet.assert_in_the_middle()
            outcome = await fleet.outcome(number, fault, since)
            fault_row(outcome)
            gone = joined()

    fleet.assert_none_lost(outcome, duplicates=0)
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < LONGEST_RECOVERY_S
    assert took_s < _WORKER_TIMEOUT_S
    assert handed_over_s < fleet.rig.settings.session_timeout_s / 2, "it did not leave its group"
    assert [status.state for status in gone] == ["stopped"] * stopping, "it was killed"
