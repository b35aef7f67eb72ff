"""A threshold of similarity, and how often it errs, from labelled pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pairs import ErrorRate, ten_fold_accuracy, verification
from benchmarks.thresholds import document_of, write_to
from schemas.results import ModelInfo

#: 20 pairs of different persons, 20 of one, by turns; two of either kind look like the other
MODELS = ModelInfo(pack="p", detector="d@0", recognizer="a@1")
SAME = np.tile([False, True], 20)
SIMILARITIES = np.where(SAME, 0.7, 0.1)
SIMILARITIES[[0, 4]] = 0.9
SIMILARITIES[[1, 3, 5]] = -0.2


def test_errors_are_counted_by_their_kind() -> None:
    found = verification(SIMILARITIES, SAME)
    assert found.threshold == pytest.approx(0.4, abs=0.01), "between the two kinds"
    assert (found.false_match.wrong, found.false_match.of) == (2, 20)
    assert (found.false_non_match.wrong, found.false_non_match.of) == (3, 20)
    assert ten_fold_accuracy(SIMILARITIES, SAME) == 1 - 5 / 40


def test_a_pair_does_not_choose_the_threshold_that_judges_it() -> None:
    """In two folds each alone: what is best on one is wrong on the other."""
    similarities, same = np.array([0.2, 0.4]), np.array([True, False])
    assert ten_fold_accuracy(similarities, same, folds=2) < 1


@pytest.mark.parametrize(
    ("wrong", "of", "low", "high"),
    [(0, 400, 0.0, 0.0095), (4, 400, 0.0039, 0.0254), (400, 400, 0.9905, 1.0)],
)
def test_the_interval_is_wilsons(wrong: int, of: int, low: float, high: float) -> None:
    assert ErrorRate(wrong, of).interval == pytest.approx((low, high), abs=1e-4)


def test_without_pairs_there_is_no_rate() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        verification(np.array([]), np.array([], bool))
    with pytest.raises(ValueError, match="no pairs"):
        _ = ErrorRate(0, 0).interval


def test_a_measurement_takes_the_place_of_its_recognisers_last_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    document = document_of(verification(SIMILARITIES, SAME), MODELS, "LFW")
    write_to(path, "a@1", document)
    write_to(path, "b@2", document | {"threshold": 0.1})
    write_to(path, "b@2", document | {"threshold": 0.2})
    written = json.loads(path.read_text())
    assert written["a@1"] == document
    assert written["b@2"]["threshold"] == 0.2
