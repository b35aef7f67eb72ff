"""`kill -9` of the supervisor: its workers end by themselves; and of all at once, as hosts die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import orjson
import psutil
import pytest

from stream.crash_notes import left_behind, read_notes
from stream.event import Position
from stream.io.producer import Producer
from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.rig import Rig, by_reference

_ROOT = Path(__file__).parents[2]
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


#: decoding this one image takes as long as the host lives
_ENDLESS_DECODER = """
import sys, time
if "stream.worker" in " ".join(sys.orig_argv):
    import stream.fetching as fetching
    sound = fetching.open_photograph
    def decode(data, *sizes):
        while b"poison" in data[-16:]:
            time.sleep(1)
        return sound(data, *sizes)
    fetching.open_photograph = decode
"""


async def _started(environ: Mapping[str, str]) -> tuple[asyncio.subprocess.Process, list[int]]:
    """A supervisor in a process of its own, and its workers."""
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SUPERVISOR,
        cwd=_ROOT,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    return supervisor, [int(pid) for pid in (await supervisor.stdout.readline()).split()]


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
    supervisor, pids = await _started(environ)
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)
    supervisor.kill()
    await supervisor.wait()
    deadline = time.monotonic() + 15
    while left := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() < deadline, f"{left} still work for nobody"
        await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_what_killed_a_whole_host_is_known_when_its_notes_outlive_it(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_ENDLESS_DECODER)
    noise = np.random.default_rng(9).integers(0, 255, (64, 64, 3), np.uint8)
    image = cv2.imencode(".png", noise)[1].tobytes()
    files = [tmp_path / f"{number}.png" for number in range(40)]
    for number, file in enumerate(files):
        file.write_bytes(image + (b"poison" if number == 20 else b""))
    notes = tmp_path / "notes"
    environ = {
        "IMAGE_SOURCES": f"{tmp_path.as_uri()}/",
        "PYTHONPATH": f"{tmp_path}:{_ROOT}",
        "CRASH_NOTES_DIR": str(notes),
        "MAX_ATTEMPTS": "1",
        "MODEL_PACK": "synthetic",
        "EMOTION_ENGINE": "off",
        "DET_SIZE": "128",
    }

    def noted() -> list[Position]:
        return [suspect for path in notes.glob("*.notes") for suspect in read_notes(path)]

    with on_kafka(apache_kafka) as broker:
        rig = Rig(broker, workers=1, environ=environ)
        suspect = Position(broker.topics.images, 20 % broker.partitions, 20 // broker.partitions)
        async with Producer(broker.kafka_settings.librdkafka()) as producer:
            for number, file in enumerate(files):
                value = orjson.dumps(by_reference(file))
                where = number % broker.partitions
                await producer.send(broker.topics.images, value, partition=where)
        host, workers = await _started(rig.environ)
        await rig.outputs.until(lambda: suspect in noted(), 60, "the host at work on it")
        host.kill()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        await host.wait()
        # a process of many threads is long dead before the last of them lets go of its files
        await rig.outputs.until(lambda: any(left_behind(notes)), 15, "the host's end")
        suspects = noted()  # another may have been decoded beside it
        async with rig:
            results = await rig.outputs.settled((file.name for file in files), 60)
        assert noted() == []

    failed = {name: result.error.code for name, result in results.items() if result.error}
    assert suspect in suspects
    assert failed == {
        files[one.offset * broker.partitions + one.partition].name: "crashed_worker"
        for one in suspects
    }
