"""What `facestream bench` makes of its measurements; nothing is started here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.arrivals import Arrival
from benchmarks.batches import BenchmarkFailed, Run, mean_by_stage
from benchmarks.comparison import Measured, Round
from benchmarks.photographs import PhotographSet
from benchmarks.processes import Processes, PsutilMissing
from benchmarks.report import summarize


def measured(elapsed_s: float, faces: tuple[int | None, ...] = (1, 0), **more: float) -> Measured:
    costs = {"cpu_s": 4.0, "other_side_cpu_s": 0.0, "client_cpu_s": 0.5} | more
    return Measured(
        run=Run(elapsed_s, faces, {}),
        cpu_s=costs["cpu_s"],
        other_side_cpu_s=costs["other_side_cpu_s"],
        broker_cpu_s=costs.get("broker_cpu_s"),
        client_cpu_s=costs["client_cpu_s"],
        others_cpu_s=costs.get("others_cpu_s", 0.0),
        peak_rss_bytes=1000,
    )


def test_the_ratio_is_taken_round_by_round_and_its_middle_counts() -> None:
    """A round in which the machine was slow is slow for both, and leaves the ratio alone."""
    rounds = [
        Round(stream=measured(2.0), loop=measured(1.0)),
        Round(stream=measured(40.0), loop=measured(32.0)),
        Round(stream=measured(1.0), loop=measured(1.0)),
    ]
    report = summarize("embed", rounds)
    assert report.ratio.rounds == (0.5, 0.8, 1.0)
    assert (report.ratio.median, report.ratio.min, report.ratio.max) == (0.8, 0.5, 1.0)
    assert report.stream.images_per_s.median == 1.0
    assert report.stream.cpu_s_per_image.median == 2.0


@pytest.mark.parametrize("other", [(1, 1), (1, None), (None, 0)])
def test_other_faces_or_another_failure_in_any_round_is_seen(other: tuple[int | None, ...]) -> None:
    same = Round(stream=measured(1.0), loop=measured(1.0))
    assert summarize("detect", [same]).same_faces
    differs = Round(stream=measured(1.0, other), loop=measured(1.0))
    assert not summarize("detect", [same, differs]).same_faces


def test_what_was_not_measured_is_null() -> None:
    report = summarize("detect", [Round(stream=measured(1.0), loop=measured(1.0))])
    assert report.broker_cpu_s_per_image is None
    assert report.model is None
    assert mean_by_stage([]) == {}


def test_idle_time_is_the_worst_of_both_turns_with_the_broker_and_the_client() -> None:
    one = Round(
        stream=measured(1.0, other_side_cpu_s=0.1, broker_cpu_s=9.0, client_cpu_s=9.0),
        loop=measured(1.0, other_side_cpu_s=0.0, broker_cpu_s=0.25, client_cpu_s=0.5),
    )
    assert one.idle_cpu_s == 0.75


def test_a_machine_that_others_kept_busy_is_seen() -> None:
    one = Round(stream=measured(2.0, others_cpu_s=3.0), loop=measured(1.0))
    report = summarize("embed", [one])
    assert report.stream.others_cores.max == 1.5
    assert report.loop.others_cores.max == 0.0


def test_a_stage_is_averaged_over_the_images_in_which_it_ran() -> None:
    assert mean_by_stage([{"detect": 2.0, "embed": 4.0}, {"detect": 4.0}]) == {
        "detect": 3.0,
        "embed": 4.0,
    }


def test_a_sample_is_spread_over_all_photographs_and_repeats_them_when_they_are_few() -> None:
    paths = tuple(Path(f"/{number}.jpg") for number in range(10))
    photographs = PhotographSet("ten", (Path("/"),), paths)
    assert photographs.sample(5) == paths[::2]
    assert photographs.sample(10) == paths
    assert photographs.sample(12) == (*paths, *paths[:2])


async def test_a_result_counts_once_and_only_when_it_is_expected() -> None:
    arrival = Arrival({b"a", b"b"})
    arrival.take(b"a", b"1")
    arrival.take(b"a", b"2")
    arrival.take(b"of the round before", b"3")
    assert arrival.values == {b"a": b"1"}
    with pytest.raises(BenchmarkFailed, match="1 of 2 results are missing"):
        await arrival.wait(0.001)
    arrival.take(b"b", b"4")
    await arrival.wait(1)


def test_without_psutil_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(PsutilMissing, match=r"facestream\[bench\]"):
        Processes([])
