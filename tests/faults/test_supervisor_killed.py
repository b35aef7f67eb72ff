"""`kill -9` of the supervisor: its workers end by themselves, and nobody works unseen."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.brokers import Broker

_SUPERVISOR = """
import asyncio
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor

async def main():
    async with Supervisor(WorkerSettings()) as supervisor:
        await supervisor.ready()
        print(*supervisor.pids, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.timeout(60)
async def test_workers_end_when_their_supervisor_is_killed(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    environ = {
        **os.environ,
        **embedded_broker.environment,
        "CONSUMER_GROUP": embedded_broker.group,
        "MODEL_PACK": "synthetic",
        "EMOTION_ENGINE": "off",
        "MAX_WORKERS": "2",
        "TMPDIR": str(tmp_path),
    }
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SUPERVISOR,
        cwd=Path(__file__).parents[2],
        env=environ,
        stdout=asyncio.subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    pids = [int(pid) for pid in (await supervisor.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)
    supervisor.kill()
    await supervisor.wait()
    deadline = time.monotonic() + 15
    while left := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() < deadline, f"{left} still work for nobody"
        await asyncio.sleep(0.05)
