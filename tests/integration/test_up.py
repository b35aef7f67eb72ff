"""`facestream up`: broker, workers and the HTTP API from one command, each alive by itself."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import psutil
import pytest

from benchmarks.processes import workers_under

_READY = re.compile(r"Ready: (?P<url>http://\S+)/docs, API_KEY=(?P<key>\S+)")


@dataclass(frozen=True, slots=True)
class Up:
    process: asyncio.subprocess.Process
    url: str
    key: str

    @property
    def edges(self) -> list[psutil.Process]:
        """The edge's process, alone in the list while there is one."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "edge" in child.cmdline()]


@asynccontextmanager
async def started(
    folder: Path, *arguments: str, **changes: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    environ = {name: value for name, value in os.environ.items() if name != "API_KEY"}
    environ |= {
        "MODEL_PACK": "synthetic",
        "MAX_WORKERS": "1",
        "DET_SIZE": "160",
        "BLOB_STORE_URL": str(folder / "blobs"),
        "XDG_RUNTIME_DIR": str(folder),
        **changes,
    }
    environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "up", *arguments),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(15):  # its pipes close when all that it started has ended too
            await process.communicate()


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[Up]:
    """Yields once it says that it is ready."""
    async with started(folder, "--port", "0") as process:
        assert process.stdout is not None
        drained = asyncio.create_task(_drain(process.stderr))
        async with asyncio.timeout(60):
            while line := (await process.stdout.readline()).decode():
                if found := _READY.match(line):
                    break
        assert found is not None, "it ended before it was ready"
        try:
            yield Up(process, found["url"], found["key"])
        finally:
            drained.cancel()


async def _drain(stream: asyncio.StreamReader | None) -> None:
    assert stream is not None
    while await stream.readline():
        pass


async def until(condition: Callable[[], bool], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - it is about other processes
            await asyncio.sleep(0.05)


def photograph() -> bytes:
    pixels = np.random.default_rng(7).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1])


async def status(url: str, key: str | None = None) -> int:
    headers = {"Content-Type": "image/png"}
    headers |= {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v1/verify-face", data=photograph(), headers=headers) as answer,
    ):
        return answer.status


async def test_what_says_that_it_is_ready_answers_and_a_dead_edge_is_back_within_seconds(
    tmp_path: Path,
) -> None:
    async with up(tmp_path) as running:
        assert await status(running.url, running.key) == 200
        assert await status(running.url) == 401

        (edge,) = running.edges
        workers = workers_under(running.process.pid)
        assert len(workers) == 1
        edge.kill()
        killed_at = time.monotonic()
        while True:
            try:
                if await status(running.url, running.key) == 200:
                    break
            except aiohttp.ClientError:
                pass
            assert time.monotonic() - killed_at < 20, "the edge is not back"
            await asyncio.sleep(0.1)
        assert all(psutil.pid_exists(pid) for pid in workers), "the workers were disturbed"

        running.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await running.process.wait() == 0


async def test_an_edge_whose_supervisor_was_killed_ends_by_itself(tmp_path: Path) -> None:
    async with up(tmp_path) as running:
        (edge,) = running.edges
        running.process.kill()
        await until(lambda: not edge.is_running(), 10)


@pytest.mark.timeout(90)
async def test_a_port_that_is_taken_is_said_in_a_line_and_nothing_stays(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with started(tmp_path, "--port", port) as process:
            _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"address already in use" in errors
    assert b"Error: the HTTP edge does not start" in errors
    assert b"Traceback" not in errors


async def test_what_is_stopped_while_it_starts_ends_in_order(tmp_path: Path) -> None:
    async with started(tmp_path, "--port", "0") as process, asyncio.timeout(30):
        assert process.stderr is not None
        while b"listens at" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def test_a_wrong_setting_is_said_before_anything_else_is(tmp_path: Path) -> None:
    async with started(tmp_path, DET_SIZE="large") as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.startswith(b"Error: settings: DET_SIZE: ")
