"""What `facestream bench` makes of its measurements; nothing is started here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.batches import Batch, Run, mean_by_stage, percentile
from benchmarks.cells import Cell, SideName
from benchmarks.comparison import Measured, Round
from benchmarks.costs import Costs
from benchmarks.processes import Processes, PsutilMissing
from benchmarks.ratios import OperationRatios
from benchmarks.report import CellReport, summarize

PATHS = (Path("/a.jpg"), Path("/b.jpg"))


def measured(
    elapsed_s: float,
    faces: tuple[int | None, ...] = (1, 0),
    waits_ms: tuple[float, ...] = (10.0, 20.0),
    **more: float,
) -> Measured:
    costs = {"lasted_s": elapsed_s, "cpu_s": 4.0, "client_cpu_s": 0.5} | more
    return Measured(
        batch=Batch("embed", PATHS, 1),
        run=Run(elapsed_s, faces, waits_ms),
        costs=Costs(**costs),
        pss_bytes=1000,
    )


def cell(side: SideName, callers: int | None = None) -> Cell:
    return Cell("small", "embed", side, callers)


LOOP, STREAM = cell("loop"), cell("stream")


def report_of(one: Cell, *rounds: Round) -> CellReport:
    return next(
        report
        for report in summarize(rounds).cells
        if (report.side, report.callers) == (one.side, one.callers)
    )


def ratios(*rounds: Round) -> OperationRatios:
    (found,) = summarize(rounds).ratios
    return found


def test_the_ratio_is_taken_round_by_round_and_its_middle_counts() -> None:
    """A round in which the machine was slow is slow for both, and leaves the ratio alone."""
    rounds: list[Round] = [
        {STREAM: measured(2.0), LOOP: measured(1.0)},
        {STREAM: measured(40.0), LOOP: measured(32.0)},
        {STREAM: measured(1.0), LOOP: measured(1.0)},
    ]
    ratio = ratios(*rounds).stream_to_loop
    assert ratio is not None
    assert ratio.rounds == (0.5, 0.8, 1.0)
    assert (ratio.median, ratio.min, ratio.max) == (0.8, 0.5, 1.0)
    assert report_of(STREAM, *rounds).images_per_s.median == 1.0
    assert report_of(STREAM, *rounds).cpu_s_per_image.median == 2.0


def test_the_afternoon_counts_with_the_callers_that_it_did_best_with() -> None:
    """In the middle of the rounds: once it may be lucky with any."""
    rounds: list[Round] = [
        {
            STREAM: measured(1.0),
            cell("afternoon", 1): measured(8.0),
            cell("afternoon", 4): measured(4.0),
            cell("afternoon", 16): measured(seconds),
        }
        for seconds in (5.0, 2.0, 5.0)
    ]
    ratio = ratios(*rounds).stream_to_afternoon
    assert ratio is not None
    assert ratio.rounds == (4.0, 4.0, 4.0)
    assert ratios({STREAM: measured(1.0)}).stream_to_afternoon is None


def test_the_edge_is_set_beside_the_stream_with_as_many_callers_and_beside_the_whole() -> None:
    one: Round = {
        STREAM: measured(1.0),
        cell("stream", 1): measured(9.0),
        cell("stream", 16): measured(2.0),
        cell("edge", 1): measured(9.0),
        cell("edge", 16): measured(2.5),
    }
    found = ratios(one)
    assert found.most_callers == 16
    assert found.edge_to_stream is not None
    assert found.edge_to_stream.median == 0.8
    assert found.edge_to_whole_stream is not None
    assert found.edge_to_whole_stream.median == 0.4


def test_one_caller_at_the_edge_is_set_beside_one_process_of_the_loop() -> None:
    one: Round = {
        cell("edge", 1): measured(1.0, waits_ms=(15.0, 30.0)),
        cell("edge", 4): measured(1.0, waits_ms=(99.0, 99.0)),
        cell("loop", 1): measured(1.0, waits_ms=(10.0, 40.0)),
    }
    found = ratios(one)
    assert (found.edge_p50_ms, found.direct_p50_ms) == (15.0, 10.0)
    assert found.edge_to_direct_p50 == 1.5
    assert found.stream_to_loop is None


def test_percentiles_are_those_of_all_rounds_and_say_nothing_of_a_queue() -> None:
    rounds: list[Round] = [
        {cell("edge", 1): measured(1.0, waits_ms=(1.0, 2.0)), STREAM: measured(1.0)},
        {cell("edge", 1): measured(1.0, waits_ms=(3.0, 90.0)), STREAM: measured(1.0)},
    ]
    edge = report_of(cell("edge", 1), *rounds)
    assert (edge.p50_ms, edge.p95_ms) == (2.0, 90.0)
    assert report_of(STREAM, *rounds).p50_ms is None


@pytest.mark.parametrize("other", [(1, 1), (1, None), (None, 0)])
def test_other_faces_or_another_failure_in_any_round_is_seen(other: tuple[int | None, ...]) -> None:
    same: Round = {STREAM: measured(1.0), LOOP: measured(1.0)}
    assert summarize([same]).other_faces == ()
    differs: Round = {STREAM: measured(1.0, other), LOOP: measured(1.0)}
    assert summarize([same, differs]).other_faces == ("stream: embed, small",)


def test_the_afternoon_may_find_other_faces() -> None:
    one: Round = {LOOP: measured(1.0), cell("afternoon", 1): measured(1.0, (1, 1))}
    assert summarize([one]).other_faces == ()
    assert report_of(cell("afternoon", 1), one).faces == 2


def test_what_was_not_measured_is_null() -> None:
    one: Round = {STREAM: measured(1.0)}
    assert report_of(STREAM, one).broker_cpu_s_per_image is None
    assert summarize([one]).model is None
    assert mean_by_stage([]) == {}


def test_a_machine_that_others_kept_busy_is_seen_and_so_are_we() -> None:
    one: Round = {STREAM: measured(2.0, others_cpu_s=3.0, idle_cpu_s=0.5), LOOP: measured(1.0)}
    assert report_of(STREAM, one).others_cores.max == 1.5
    assert report_of(STREAM, one).idle_cores == 0.25
    assert report_of(LOOP, one).others_cores.max == 0.0


def test_a_stage_is_averaged_over_the_images_in_which_it_ran() -> None:
    assert mean_by_stage([{"detect": 2.0, "embed": 4.0}, {"detect": 4.0}]) == {
        "detect": 3.0,
        "embed": 4.0,
    }


def test_five_of_a_hundred_are_above_the_95th_percentile() -> None:
    values = tuple(float(number) for number in range(1, 101))
    assert (percentile(values, 50), percentile(values, 95)) == (50.0, 95.0)
    assert percentile((7.0,), 95) == 7.0


def test_without_psutil_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(PsutilMissing, match=r"facestream\[bench\]"):
        Processes([])
