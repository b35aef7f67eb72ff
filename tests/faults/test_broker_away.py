"""The broker stopped or frozen under a backlog: all wait, and go on by themselves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from cli.edge_process import EdgeProcess
from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.faults.backlog import LONGEST_RECOVERY_S, backlog
from tests.faults.outcome import FaultOutcome

_KEY = "a-key-of-this-test"
#: a broker that is back is fenced first, elects its leaders anew and loads its groups
_ELECTION_S = 2.0


@dataclass(slots=True)
class Caller:
    """One who asks the edge again and again, and notes what is answered and when."""

    url: str
    image: bytes
    answers: list[tuple[float, int]] = field(default_factory=list)

    async def call(self) -> None:
        headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "image/jpeg"}
        where = f"{self.url}/api/v1/extract-embedding"
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                async with session.post(where, data=self.image) as response:
                    await response.read()
                self.answers.append((time.monotonic(), response.status))
                await asyncio.sleep(0.1)

    def statuses(self, since: float, until: float) -> set[int]:
        return {status for at, status in self.answers if since <= at < until}

    async def until_answered(self, since: float) -> float:
        """Seconds from `since` to the next answer that holds a face."""
        async with asyncio.timeout(30):
            while 200 not in self.statuses(since, time.monotonic()):  # noqa: ASYNC110 - `call` has no event
                await asyncio.sleep(0.05)
        return next(at for at, status in self.answers if at >= since and status == 200) - since


@asynccontextmanager
async def edge_on(broker: Broker, folder: Path) -> AsyncIterator[EdgeProcess]:
    settings = {
        **os.environ,
        **broker.environment,
        "API_KEY": _KEY,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "REQUEST_TIMEOUT_S": "3",
        "BLOB_STORE_URL": str(folder),
    }
    async with EdgeProcess(settings, longest_answer_s=5) as edge:
        await edge.ready()
        yield edge


async def _outage(
    kafka: ApacheKafka,
    shared: Path,
    folder: Path,
    *,
    events: int,
    lasts_s: float,
    begin: Callable[[], None],
    end: Callable[[], None],
    row: tuple[int, str],
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    image = next((shared / "faces" / "lfw").rglob("*.jpg")).read_bytes()
    with on_kafka(kafka) as broker:
        async with backlog(broker, shared, events) as fleet, edge_on(broker, folder) as edge:
            assert edge.url is not None
            pids = [edge.pid, *fleet.rig.supervisor.pids]
            caller = Caller(edge.url, image)
            calling = asyncio.create_task(caller.call())
            await caller.until_answered(0)
            await fleet.worked_off(0.3)
            began_at = time.monotonic()
            begin()
            away_at = time.monotonic()
            await asyncio.sleep(lasts_s)
            end()
            back_at = time.monotonic()
            fleet.assert_in_the_middle()
            edge_back_s = await caller.until_answered(back_at)
            outcome = await fleet.outcome(*row, back_at)
            fault_row(outcome)
            assert not calling.done(), calling.exception()
            calling.cancel()
            assert [edge.pid, *fleet.rig.supervisor.pids] == pids, "something was started again"

    fleet.assert_none_lost(outcome)
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < LONGEST_RECOVERY_S + _ELECTION_S
    assert caller.statuses(0, began_at) == {200}
    assert caller.statuses(away_at + 0.1, back_at)
    assert caller.statuses(away_at + 0.1, back_at) <= {503, 504}
    assert edge_back_s < 10


@pytest.mark.timeout(300)
async def test_a_stopped_broker_is_waited_for_and_what_it_had_confirmed_is_not_repeated(
    own_kafka: ApacheKafka,
    shared: Path,
    tmp_path: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    lasts_s = 20 if soak else 8
    await _outage(
        own_kafka,
        shared,
        tmp_path,
        events=1500 if soak else 400,
        lasts_s=lasts_s,
        begin=own_kafka.stop,
        end=own_kafka.start,
        row=(3, f"the broker stopped for {lasts_s} s"),
        fault_row=fault_row,
    )


@pytest.mark.timeout(300)
async def test_a_frozen_broker_is_waited_for(
    own_kafka: ApacheKafka,
    shared: Path,
    tmp_path: Path,
    soak: bool,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    lasts_s = 20 if soak else 10
    await _outage(
        own_kafka,
        shared,
        tmp_path,
        events=1500 if soak else 400,
        lasts_s=lasts_s,
        begin=own_kafka.freeze,
        end=own_kafka.thaw,
        row=(4, f"the broker frozen for {lasts_s} s"),
        fault_row=fault_row,
    )
