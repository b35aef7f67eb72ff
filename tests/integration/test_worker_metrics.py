"""`facestream worker` with METRICS_PORT: one port tells exactly what its processes did."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import orjson
import psutil
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from benchmarks.processes import workers_under
from stream.io.producer import Producer
from tests.brokers import Broker, on_embedded
from tests.rig import Outputs, by_reference

_SAID = re.compile(r"metrics at http://\S+?:(?P<port>\d+)/metrics")
_WORKERS = 2
_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor and its workers, and where they are scraped."""

    process: asyncio.subprocess.Process
    url: str

    async def scrape(self) -> list[Sample]:
        async with aiohttp.ClientSession() as session, session.get(self.url) as answer:
            assert answer.status == 200
            text = await answer.text()
        return [s for family in text_string_to_metric_families(text) for s in family.samples]

    async def until(self, condition: Callable[[list[Sample]], bool], what: str) -> list[Sample]:
        """The first scrape of which it is true."""
        give_up_at = time.monotonic() + 40
        while not condition(scraped := await self.scrape()):
            assert time.monotonic() < give_up_at, f"still not: {what}; {scraped}"
            await asyncio.sleep(0.1)
        return scraped

    @property
    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in workers_under(self.process.pid)]


def total(scraped: list[Sample], name: str, **labels: str) -> float:
    """The sum over all workers, and over whatever is not named."""
    return sum(s.value for s in scraped if s.name == name and labels.items() <= s.labels.items())


@asynccontextmanager
async def running(broker: Broker, folder: Path, sources: str) -> AsyncIterator[Running]:
    environ = os.environ | broker.environment
    environ |= {
        "CONSUMER_GROUP": broker.group,
        "MODEL_PACK": "synthetic",
        "MAX_WORKERS": str(_WORKERS),
        "DET_SIZE": "160",
        "IMAGE_SOURCES": sources,
        "BLOB_STORE_URL": str(folder / "blobs"),
        "METRICS_PORT": "0",
        "METRICS_HOST": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "worker"),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while (said := _SAID.search((await process.stderr.readline()).decode())) is None:
                assert process.returncode is None
            reading = asyncio.create_task(process.stderr.read())
            assert (await process.stdout.readline()).startswith(b"Ready")
        yield Running(process, f"http://127.0.0.1:{said['port']}/metrics")
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
            await reading
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def holding_server() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Its images come when the event is set: not at all, for there is none."""
    release = asyncio.Event()

    async def hold(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{name}", hold)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", release
    finally:
        release.set()  # a cleanup would wait for who is held
        await runner.cleanup()


def outcomes_of(outputs: Outputs) -> Counter[tuple[str, str]]:
    """(operation, outcome) of what came out, as anybody can read it."""
    counts: Counter[tuple[str, str]] = Counter(
        (r.operation or "", r.status if r.error is None else r.error.code)
        for r in (record.result for record in outputs.results)
    )
    for letter in outputs.rejected:
        if (code := letter.headers["facestream_error_code"].decode()) == "not_json":
            counts["none", code] += 1
    return counts


@pytest.mark.timeout(150)
async def test_the_scrape_says_what_happened_and_a_killed_worker_begins_at_zero(
    tmp_path: Path,
) -> None:
    with on_embedded(_PARTITIONS) as broker:
        await _said_what_happened(broker, tmp_path)


async def _said_what_happened(broker: Broker, tmp_path: Path) -> None:
    photograph = tmp_path / "photo.png"
    pixels = np.random.default_rng(7).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    cv2.imwrite(str(photograph), pixels)
    text = tmp_path / "text.jpg"
    text.write_text("no photograph")
    requests = [
        *(by_reference(photograph) | {"id": f"embed-{n}"} for n in range(6)),
        *(by_reference(photograph, "detect") | {"id": f"detect-{n}"} for n in range(3)),
        by_reference(photograph, "analyze"),
        by_reference(tmp_path / "missing.jpg"),
        by_reference(text),
    ]
    values = [*map(orjson.dumps, requests), b"no JSON", b"none either"]
    async with (
        holding_server() as (held, release),
        running(broker, tmp_path, f"{tmp_path.as_uri()}/,{held}/") as worker,
        Producer(broker.kafka_settings.librdkafka()) as producer,
    ):
        scraped, expected = await _all_settled(worker, broker, producer, values)
        told = Counter[tuple[str, str]]()
        for sample in scraped:
            if sample.name == "facestream_events_total":
                told[sample.labels["operation"], sample.labels["outcome"]] += int(sample.value)
        assert told == expected
        assert {("embed", "image_not_found"), ("embed", "not_an_image")} <= set(told)
        assert told["none", "not_json"] == 2
        assert total(scraped, "facestream_events_total", lane="interactive") == 1
        assert total(scraped, "facestream_dead_letters_total", code="not_json") == 2
        assert total(scraped, "facestream_dead_letters_total") == 4
        pictures = sum(r["image"]["uri"] == photograph.as_uri() for r in requests)
        assert total(scraped, "facestream_stage_seconds_count", stage="detect") == pictures
        assert total(scraped, "facestream_stage_seconds_count", stage="analyze") == 1
        assert total(scraped, "facestream_worker_up") == _WORKERS
        assert total(scraped, "facestream_rebalances_total") >= _WORKERS
        assert total(scraped, "facestream_model_load_seconds") > 0
        assert total(scraped, "process_resident_memory_bytes") > _WORKERS * 50e6

        ends = {
            (s.labels["topic"], s.labels["partition"])
            for s in scraped
            if s.name == "facestream_consumer_lag_events"
        }
        lanes = (broker.topics.requests, broker.topics.images)
        assert ends == {(lane, str(number)) for lane in lanes for number in range(_PARTITIONS)}

        image = {"uri": f"{held}/a.jpg"}
        waits = orjson.dumps({"id": "held", "operation": "embed", "image": image})
        await _one_in_flight(worker, broker, producer, waits, release)
        await _a_killed_one_begins_at_zero(worker)


async def _all_settled(
    worker: Running, broker: Broker, producer: Producer, values: list[bytes]
) -> tuple[list[Sample], Counter[tuple[str, str]]]:
    """What is told once these are settled and committed, and what came out of them."""
    with Outputs(broker) as outputs:
        for number, value in enumerate(values):
            lane = broker.topics.requests if number == 0 else broker.topics.images
            await (await producer.enqueue(lane, value, partition=number % _PARTITIONS))
        scraped = await worker.until(
            lambda s: (
                total(s, "facestream_events_total") >= len(values)
                and total(s, "facestream_consumer_lag_events") == 0
            ),
            "all settled and committed",
        )
        await outputs.until(
            lambda: sum(outcomes_of(outputs).values()) >= len(values), 20, "all results"
        )
        return scraped, outcomes_of(outputs)


async def _one_in_flight(
    worker: Running, broker: Broker, producer: Producer, waits: bytes, release: asyncio.Event
) -> None:
    """While its image is waited for it is in flight and not committed; then it is."""
    await (await producer.enqueue(broker.topics.images, waits, partition=1))
    scraped = await worker.until(
        lambda s: total(s, "facestream_in_flight_events", lane="bulk") == 1, "one is in flight"
    )
    assert total(scraped, "facestream_consumer_lag_events") == 1
    assert total(scraped, "facestream_consumer_lag_events", partition="1") == 1
    release.set()
    await worker.until(lambda s: total(s, "facestream_consumer_lag_events") == 0, "it is committed")


async def _a_killed_one_begins_at_zero(worker: Running) -> None:
    worker.workers[0].kill()
    scraped = await worker.until(
        lambda s: (
            total(s, "facestream_worker_starts_total") == _WORKERS + 1
            and total(s, "facestream_worker_up") == _WORKERS
        ),
        "another process is there",
    )
    starts = {
        s.labels["worker"]: s.value for s in scraped if s.name == "facestream_worker_starts_total"
    }
    (again,) = (worker_id for worker_id, count in starts.items() if count == 2)
    assert total(scraped, "facestream_events_total", worker=again) == 0


async def test_a_taken_port_is_named_in_one_line_and_nothing_is_started(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    async with holding_server() as (url, _):
        port = url.rsplit(":", 1)[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "worker"),
            env=os.environ
            | embedded_broker.environment
            | {
                "MODEL_PACK": "synthetic",
                "METRICS_PORT": port,
                "METRICS_HOST": "127.0.0.1",
                "BLOB_STORE_URL": str(tmp_path / "blobs"),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            _, said = await process.communicate()
    assert process.returncode == 1
    assert f"METRICS_PORT: no metrics at 127.0.0.1:{port}" in said.decode().splitlines()[-1]
