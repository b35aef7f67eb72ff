"""The object store down for 10 s under a backlog: what is fetched waits for it, and none fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.faults.outcome import FaultOutcome
from tests.rig import Rig
from tests.s3 import S3

_EVENTS = 300
_DOWN_S = 10.0


@pytest.fixture
def s3() -> Iterator[S3]:
    with S3("photos") as server:
        yield server


@pytest.mark.timeout(180)
async def test_a_store_that_is_down_delays_its_images_and_fails_none(
    apache_kafka: ApacheKafka,
    shared: Path,
    s3: S3,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    photographs = sorted((shared / "faces" / "lfw").rglob("*.jpg"))[:_EVENTS]
    requests = [
        {
            "id": path.name,
            "operation": "embed",
            "image": {
                "uri": await asyncio.to_thread(s3.put, "photos", path.name, path.read_bytes())
            },
        }
        for path in photographs
    ]
    ids = [path.name for path in photographs]
    environ = {
        "IMAGE_SOURCES": "s3://photos/",
        **s3.environment,
        "EMOTION_ENGINE": "off",
        "DET_SIZE": "320",
        "DET_SIZE_MODE": "fixed",
    }
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, environ=environ) as rig:
            outputs = rig.outputs
            await rig.publish(requests)
            await outputs.until(lambda: len(outputs.results) >= 80, 60, "80 results")
            s3.stop()
            down_at = time.monotonic()
            await asyncio.sleep(_DOWN_S)  # the fault itself
            s3.start()
            up_at = time.monotonic()
            results = await outputs.settled(ids, 60)
            records = outputs.results
            rejected = list(outputs.rejected)

    outcome = FaultOutcome.measured(
        6, f"object store down for {_DOWN_S:g} s", ids, records, since=up_at
    )
    fault_row(outcome)
    assert outcome.lost == 0
    assert outcome.duplicates == 0, "no process died: nothing was to be repeated"
    assert {result.status for result in results.values()} <= {"ok", "no_face"}
    assert rejected == []
    while_down = [r for r in records if down_at + _DOWN_S / 2 < r.arrived_at < up_at]
    assert not while_down, "the store was not needed"
    assert outcome.recovered_s is not None
    assert outcome.recovered_s < 6, "longer than the longest pause between two tries"
