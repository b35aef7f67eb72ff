"""`kill -9` of a worker under a backlog, on Apache Kafka: nothing is lost, the stream goes on."""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.rig import Rig, by_reference


@pytest.mark.timeout(180)
async def test_a_killed_worker_loses_nothing_is_replaced_and_the_results_flow_on(
    apache_kafka: ApacheKafka, shared: Path
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:500]
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, environ={"IMAGE_SOURCES": f"{lfw.as_uri()}/"}) as rig:
            before = rig.supervisor.pids
            await rig.publish([by_reference(path) for path in photographs])
            await rig.outputs.until(lambda: len(rig.outputs.results) >= 150, 60, "150 results")
            os.kill(before[0], signal.SIGKILL)
            results = await rig.outputs.settled((path.name for path in photographs), 120)
            await rig.supervisor.ready()
            after = rig.supervisor.pids
            records = rig.outputs.results

    assert len(results) == 500
    assert {result.status for result in results.values()} <= {"ok", "no_face"}
    assert len(after) == 2
    assert before[0] not in after
    assert before[1] in after

    times_of_each = Counter(record.result.id for record in records)
    assert len(times_of_each) == 500
    assert sum(times_of_each.values()) - 500 <= 16, "more duplicates than the prototype had"

    arrivals = [record.arrived_at for record in records]
    longest_silence_s = max(b - a for a, b in itertools.pairwise(arrivals))
    assert longest_silence_s < 3.0


@pytest.mark.timeout(120)
async def test_a_stopped_stream_finishes_what_is_in_work_and_the_next_one_does_the_rest(
    apache_kafka: ApacheKafka, shared: Path
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:200]
    environ = {"IMAGE_SOURCES": f"{lfw.as_uri()}/"}
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, environ=environ) as rig:
            await rig.publish([by_reference(path) for path in photographs])
            await rig.outputs.until(lambda: len(rig.outputs.results) >= 50, 60, "50 results")
        done = len(rig.outputs.results)
        assert done < 200, "the stop came too late to show anything"
        async with Rig(broker, environ=environ) as rig:
            results = await rig.outputs.settled((path.name for path in photographs), 60)
            records = rig.outputs.results

    assert len(results) == 200
    assert len(records) == 200, "a graceful stop repeated something"
