"""The blob store's disk full under a backlog: callers are told, the edge lives, others go on."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.edge_process import EdgeProcess
from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.conftest import skip_or_fail
from tests.faults.outcome import FaultOutcome
from tests.rig import Rig, by_reference

_KEY = "a-key-of-this-test"
_EVENTS = 400
_CALLERS = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, which is full for everybody when it is full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") or skip_or_fail("there is no mount to make a small disk with")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail(f"no disk of 1 MiB can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None
    body: dict[str, Any]

    @property
    def computed(self) -> bool:
        """With a face or without one: a worker has seen the image."""
        return self.status == 200 or self.body.get("code") == "no_face"


@dataclass(frozen=True, slots=True)
class Caller:
    session: aiohttp.ClientSession
    url: str

    async def post(self, image: bytes) -> Answer:
        async with self.session.post(
            f"{self.url}/api/v1/extract-embedding",
            data=image,
            headers={"Authorization": f"Bearer {_KEY}", "Content-Type": "image/jpeg"},
        ) as response:
            retry_after = response.headers.get("Retry-After")
            return Answer(response.status, retry_after, await response.json())

    async def post_all(self, images: Sequence[bytes]) -> list[Answer]:
        return list(await asyncio.gather(*map(self.post, images)))

    async def is_ready(self) -> bool:
        async with self.session.get(f"{self.url}/api/v1/ready") as response:
            return response.status == 200


@pytest.mark.timeout(180)
async def test_callers_are_told_while_there_is_no_room_and_served_when_there_is(
    apache_kafka: ApacheKafka,
    shared: Path,
    small_disk: Path,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:_EVENTS]
    images = [path.read_bytes() for path in photographs]
    ids = [path.name for path in photographs]
    environ = {
        "IMAGE_SOURCES": f"{lfw.as_uri()}/",
        "BLOB_STORE_URL": str(small_disk),
        "EMOTION_ENGINE": "off",
        "DET_SIZE": "320",
        "DET_SIZE_MODE": "fixed",
    }
    with on_kafka(apache_kafka) as broker:
        edge_environ = {
            **os.environ,
            **broker.environment,
            "API_KEY": _KEY,
            "HOST": "127.0.0.1",
            "PORT": str(_free_port()),
            "BLOB_STORE_URL": str(small_disk),
            "INLINE_LIMIT_BYTES": "1024",
        }
        async with (
            Rig(broker, environ=environ) as rig,
            EdgeProcess(edge_environ, longest_answer_s=5) as edge,
            aiohttp.ClientSession() as session,
        ):
            await edge.ready()
            assert edge.url is not None
            caller = Caller(session, edge.url)
            await rig.publish([by_reference(path) for path in photographs])

            answers: list[Answer] = []
            while all(answer.status != 503 for answer in answers[-_CALLERS:]):
                assert len(answers) < _EVENTS, "the disk is never full"
                answers += await caller.post_all(images[len(answers) :][:_CALLERS])
            refused = await caller.post_all(images[-_CALLERS:])
            ready_while_full = await caller.is_ready()
            half_written = await asyncio.to_thread(_half_written, small_disk)
            assert len(rig.outputs.by_request().keys() & set(ids)) < _EVENTS, "no backlog"

            shutil.rmtree(small_disk / "requests")
            room_at = time.monotonic()
            again = await caller.post_all(images[:_CALLERS])
            served_s = time.monotonic() - room_at
            await rig.outputs.settled(ids, 60)
            records = rig.outputs.results

    bulk = FaultOutcome.measured(7, "disk of the blob store full", ids, records, since=None)
    taken = [answer for answer in answers + again if answer.status != 503]
    outcome = replace(
        bulk,
        events=bulk.events + len(taken),
        settled=bulk.settled + sum(answer.computed for answer in taken),
        recovered_s=served_s,
    )
    fault_row(outcome)
    assert outcome.lost == 0
    assert outcome.duplicates == 0
    assert len(taken) > 2 * _CALLERS
    turned_away = [answer for answer in answers if answer.status == 503] + refused
    assert {(answer.status, answer.body["code"]) for answer in turned_away} == {(503, "no_room")}
    assert all(int(answer.retry_after or 0) > 0 for answer in turned_away)
    assert ready_while_full
    assert half_written == [], "what did not fit takes the room of what would"
    assert all(answer.computed for answer in again)


def _half_written(folder: Path) -> list[Path]:
    """What a store that was interrupted would have left."""
    return list(folder.rglob("*#*"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
