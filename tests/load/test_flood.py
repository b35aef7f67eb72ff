"""Producers ten times faster than the workers: callers are served, and memory is bounded."""

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
from tests.load.report import LONGEST_WAIT_RATIO, Flood, Report
from tests.running_up import started_up, weights_of
from tests.soak import SOAK

_TIMES_FASTER = 10
#: published before the first is settled
_HEAD_START = 500
_LONGEST_IDLE_S = 60.0


@pytest.mark.timeout(3600)
async def test_callers_are_served_and_memory_is_bounded_in_a_flood(
    apache_kafka: ApacheKafka,
    shared: Path,
    tmp_path: Path,
    mixture: Mixture,
    extent: Extent,
    report: Report,
) -> None:
    environ = {**weights_of(shared), "MAX_WORKERS": "2", "IMAGE_SOURCES": mixture.sources}
    idle, flooded = Waits(), Waits()
    with (
        on_kafka(apache_kafka) as broker,
        started_up(tmp_path, {**environ, **broker.environment}) as up,
    ):
        await call_for(3, up, mixture.small, Waits())
        await call_for(min(extent.flood_s, _LONGEST_IDLE_S), up, mixture.small, idle)
        load = Load(broker, mixture.events(), lambda settled: _HEAD_START + settled * _TIMES_FASTER)
        with (
            watched("A flood", processes_of_up(up.pid), lambda: load.settled) as curve,
            load.running(),
        ):
            async with asyncio.timeout(60):
                while load.settled < _HEAD_START / 10:
                    load.check()
                    await asyncio.sleep(0.05)
            await call_for(extent.flood_s, up, mixture.small, flooded)
            published, settled = load.published, load.settled
    report.memory.append(curve)
    report.flood = flood = Flood(idle, flooded, published, settled)
    assert published >= settled * (_TIMES_FASTER - 1), "the producers were no flood"
    backlog_s = (published - settled) * curve.seconds[-1] / settled
    assert backlog_s > extent.flood_s, "there was no backlog to overtake"
    assert max(flooded.ms) / 1000 < backlog_s / 10, "a caller waited in line"
    if SOAK:  # a figure of speed
        assert flood.p95_ratio < LONGEST_WAIT_RATIO
    growth = curve.growth()
    assert max(growth.values()) < MOST_GROWTH, growth
