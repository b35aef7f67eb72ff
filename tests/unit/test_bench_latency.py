"""What `facestream bench --edge` makes of its measurements; nothing is started here."""

from __future__ import annotations

import pytest

from benchmarks.latency import Waits, summarize_waits


def test_what_is_added_is_the_difference_of_the_medians_and_that_of_the_images() -> None:
    report = summarize_waits(
        Waits(edge_ms=(10.0, 30.0, 50.0), direct_ms=(5.0, 9.0, 48.0), no_face=1)
    )
    assert (report.edge_median_ms, report.direct_median_ms) == (30.0, 9.0)
    assert report.added_median_ms == 21.0
    assert report.added_by_image_median_ms == 5.0
    assert (report.images, report.no_face) == (3, 1)


def test_five_of_a_hundred_are_above_the_95th_percentile() -> None:
    waits = tuple(float(number) for number in range(1, 101))
    assert summarize_waits(Waits(waits, waits, 0)).edge_p95_ms == 95.0


def test_one_image_is_its_own_percentile() -> None:
    report = summarize_waits(Waits((7.0,), (4.0,), 0))
    assert (report.edge_p95_ms, report.direct_p95_ms) == (7.0, 4.0)
    assert report.added_median_ms == pytest.approx(3.0)
