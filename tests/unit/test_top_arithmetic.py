"""Rates, percentiles and lag: exact where they are known, and `None` where they are not."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from cli.lags import LaneProgress, Offsets
from cli.top_figures import LaneFigures
from cli.top_results import TopResults
from cli.top_workers import TopWorkers
from cli.windows import Growth, Window, percentile
from schemas.topics import Topics

STATUS = orjson.loads(
    (Path(__file__).parents[1] / "contract/golden/worker_status.json").read_bytes()
)


def result(status: str = "ok", **timings_ms: float) -> bytes:
    return orjson.dumps({"status": status, "timings_ms": timings_ms})


def heartbeat(**changes: object) -> bytes:
    return orjson.dumps(STATUS | changes)


def test_a_rate_is_over_the_window_or_what_there_was_of_it() -> None:
    window: Window[str] = Window(10, began_at=100)
    assert window.rate(3, now=100.5) is None, "half a second says nothing"
    assert window.rate(8, now=104) == 2
    assert window.rate(8, now=200) == 0.8


def test_what_is_older_than_the_window_is_forgotten() -> None:
    window: Window[str] = Window(10, began_at=0)
    for at in (1, 5, 11.5):
        window.add(f"at {at}", at)
    assert list(window.items(12)) == ["at 5", "at 11.5"]
    assert list(window.items(30)) == []


def test_growth_is_measured_over_the_window() -> None:
    growth = Growth(10)
    assert growth.per_second is None
    growth.read(100, at=0)
    assert growth.per_second is None
    for second in range(1, 31):
        growth.read(100 + 2 * second if second <= 20 else 140 + 5 * (second - 20), at=second)
    assert growth.per_second == 5, "of the last 10 s alone"


def test_a_count_that_begins_anew_is_no_negative_growth() -> None:
    growth = Growth(10)
    for at, count in enumerate((1000, 1010, 3, 5)):
        growth.read(count, at)
    assert growth.per_second == 2


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.95, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([float(n) for n in range(1, 101)], 0.5, 50.0),
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
        ([float(n) for n in range(1, 21)], 0.95, 19.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("offsets", "lag"),
    [
        (Offsets(low=0, high=0), 0),
        (Offsets(low=3, high=10), 7),  # nothing committed: from the oldest on
        (Offsets(low=0, high=10, committed=4), 6),
        (Offsets(low=6, high=10, committed=4), 4),  # what retention removed is not waited for
        (Offsets(low=0, high=2, committed=9), 0),  # the topic was made anew
    ],
)
def test_lag_is_what_is_there_and_not_committed(offsets: Offsets, lag: int) -> None:
    assert offsets.lag == lag


def test_a_lane_tells_how_fast_it_fills_and_empties() -> None:
    progress = LaneProgress(10)
    assert progress.figures == LaneFigures()
    progress.read([Offsets(0, 60, 10), Offsets(0, 40)], at=0)
    assert progress.figures == LaneFigures(lag=90)
    progress.read([Offsets(0, 70, 40), Offsets(0, 40, 20)], at=5)
    figures = progress.figures
    assert (figures.lag, figures.in_per_second, figures.done_per_second) == (50, 2, 10)
    assert figures.drained_in_s == 50 / 8


@pytest.mark.parametrize(
    "figures",
    [LaneFigures(), LaneFigures(9, 5, 5), LaneFigures(9, 5, 4), LaneFigures(0, 0, 4)],
)
def test_a_lane_that_does_not_shrink_has_no_end_in_sight(figures: LaneFigures) -> None:
    assert figures.drained_in_s is None


def test_results_are_counted_by_operation_and_status_and_timed_by_stage() -> None:
    results = TopResults(10, began_at=0)
    for ms in range(1, 101):
        results.take(result(queue=ms, detect=2 * ms), "embed", at=5)
    results.take(result("failed", queue=1), "analyze", at=5)
    for nothing in (None, b"", b"[]", b"{}", b'{"status": "odd", "timings_ms": {}}', b"\xff"):
        results.take(nothing, "embed", at=5)
    assert results.per_second(now=10) == 10.1
    figures = results.operations(now=10)
    assert figures["embed"].by_status == {"ok": 100, "no_face": 0, "failed": 0}
    assert figures["embed"].per_second == 10
    assert figures["analyze"].by_status["failed"] == 1
    stages = results.stages(now=10)
    assert list(stages) == ["queue", "detect"]
    assert (stages["detect"].p50_ms, stages["detect"].p95_ms) == (100, 190)
    assert (stages["queue"].events, stages["detect"].events) == (101, 100)


def test_workers_are_told_of_by_their_last_word() -> None:
    workers = TopWorkers(Topics(), window_s=10)
    for nothing in (None, b"", b"{}", b"\xff"):
        workers.hear(nothing, at=0)
    assert workers.figures(now=0) == []
    workers.hear(heartbeat(settled=10, at_ms=1_000), at=1)
    workers.hear(heartbeat(settled=40, at_ms=4_000, in_flight=7), at=4)
    workers.hear(heartbeat(id="another", state="stopped"), at=4)
    another, worker = workers.figures(now=6)
    assert (another.id, worker.id) == ("another", "host-1a2b3c4d-0")
    assert worker.partitions == {"bulk": [0, 2, 4, 6], "interactive": [0, 2, 4, 6]}
    assert (worker.in_flight, worker.settled, worker.settled_per_second) == (7, 40, 10)
    assert worker.heard_s == 2
    assert [w.id for w in workers.figures(now=30)] == [worker.id], "the other one said good-bye"
    assert workers.figures(now=1000) == []


def test_a_worker_that_was_started_again_counts_from_0() -> None:
    workers = TopWorkers(Topics(), window_s=10)
    workers.hear(heartbeat(settled=10, at_ms=1_000, started_at_ms=0), at=1)
    workers.hear(heartbeat(settled=900, at_ms=3_000, started_at_ms=2_000), at=3)
    assert workers.figures(now=3)[0].settled_per_second is None
