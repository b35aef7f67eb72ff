"""Thousands of events of all sizes through two workers: no process grows once it is warm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.load.callers import Waits, call_for
from tests.load.conftest import Extent
from tests.load.events import Mixture
from tests.load.load import Load
from tests.load.memory import MOST_GROWTH, processes_of_up, watched
from tests.load.report import Report
from tests.running_up import started_up

#: events that wait at any time
_BACKLOG = 2000
_SLOWEST_PER_S = 25


@pytest.mark.timeout(3600)
async def test_memory_is_flat_after_warm_up(
    apache_kafka: ApacheKafka, tmp_path: Path, mixture: Mixture, extent: Extent, report: Report
) -> None:
    environ = {
        "MODEL_PACK": "synthetic",
        "DET_SIZE": "128",
        "MAX_WORKERS": "2",
        "IMAGE_SOURCES": mixture.sources,
    }
    with (
        on_kafka(apache_kafka) as broker,
        started_up(tmp_path, {**environ, **broker.environment}) as up,
    ):
        load = Load(
            broker, mixture.events(), lambda settled: min(settled + _BACKLOG, extent.events)
        )
        with (
            watched("Mixed sizes", processes_of_up(up.pid), lambda: load.settled) as curve,
            load.running(),
        ):
            async with asyncio.timeout(extent.events / _SLOWEST_PER_S):
                while load.settled < extent.events:
                    load.check()
                    await call_for(1, up, mixture.small, Waits())
    report.memory.append(curve)
    growth = curve.growth()
    assert {"supervisor", "edge", "worker 0", "worker 1"} == set(growth)
    assert max(growth.values()) < MOST_GROWTH, growth
