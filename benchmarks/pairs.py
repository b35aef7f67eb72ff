"""How well embeddings tell persons apart: LFW's protocol on labelled pairs."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str, bool]

#: of the normal distribution: 95 % lie within so many standard deviations
_Z95 = 1.959964
_CANDIDATES = np.arange(-1.0, 1.0, 0.005)


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How many of so many pairs were told wrongly, and what that says of the rate (95 %)."""

    wrong: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval: of use also where none was wrong. Raises ValueError without pairs."""
        if not self.of:
            raise ValueError("no pairs")
        share, z2 = self.wrong / self.of, _Z95**2
        middle = (share + z2 / (2 * self.of)) / (1 + z2 / self.of)
        spread = math.sqrt(share * (1 - share) / self.of + z2 / (4 * self.of**2))
        reach = _Z95 * spread / (1 + z2 / self.of)
        return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True, slots=True)
class Verification:
    """A threshold of similarity, and how often it errs on pairs that did not choose it."""

    threshold: float
    #: different persons that were taken for one
    false_match: ErrorRate
    #: one person that was taken for two
    false_non_match: ErrorRate


def read_pairs(path: Path) -> list[Pair]:
    """Rows `image_a,image_b,same_person` of a CSV file with that header."""
    with path.open(newline="") as file:
        return [
            (row["image_a"], row["image_b"], row["same_person"] == "1")
            for row in csv.DictReader(file)
        ]


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Cosine similarity of two (512,) embeddings, in [-1, 1]."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def ten_fold_accuracy(
    similarities: NDArray[np.float64], same: NDArray[np.bool_], folds: int = 10
) -> float:
    """The share told apart by the threshold that is best on the other folds (LFW's protocol).

    Pairs are dealt to the folds in turn, so that each has both kinds. Empty input raises
    ValueError.
    """
    return float((_told_the_same(similarities, same, folds) == same).mean())


def verification(
    similarities: NDArray[np.float64], same: NDArray[np.bool_], folds: int = 10
) -> Verification:
    """The threshold that is best on all pairs; its errors as `ten_fold_accuracy` counts them: by
    the thresholds of the other folds. Empty input raises ValueError.
    """
    told = _told_the_same(similarities, same, folds)
    return Verification(
        threshold=round(_best_threshold(similarities, same), 3),
        false_match=ErrorRate(int((told & ~same).sum()), int((~same).sum())),
        false_non_match=ErrorRate(int((~told & same).sum()), int(same.sum())),
    )


def similarities_of(
    pairs: Sequence[Pair], embeddings: Mapping[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(cosines, whether it is the same person) of the pairs of which both images have one."""
    usable = [pair for pair in pairs if pair[0] in embeddings and pair[1] in embeddings]
    similarities = np.array([cosine(embeddings[a], embeddings[b]) for a, b, _ in usable])
    return similarities, np.array([is_same for _, _, is_same in usable], np.bool_)


def pair_accuracy(
    pairs: Sequence[Pair], embeddings: Mapping[str, NDArray[np.float32]]
) -> tuple[float, int]:
    """(accuracy, pairs of which both images have an embedding)."""
    similarities, same = similarities_of(pairs, embeddings)
    return ten_fold_accuracy(similarities, same), len(same)


def _told_the_same(
    similarities: NDArray[np.float64], same: NDArray[np.bool_], folds: int
) -> NDArray[np.bool_]:
    """What each pair is taken for, by the threshold that is best on the other folds."""
    if not len(similarities):
        raise ValueError("no pairs")
    fold_of = np.arange(len(similarities)) % folds
    told = np.zeros(len(similarities), np.bool_)
    for fold in range(folds):
        held_out = fold_of == fold
        threshold = _best_threshold(similarities[~held_out], same[~held_out])
        told[held_out] = similarities[held_out] >= threshold
    return told


def _best_threshold(similarities: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The middle one of those that tell most pairs rightly: it is far from both kinds."""
    accuracies = np.array([((similarities >= limit) == same).mean() for limit in _CANDIDATES])
    best = np.flatnonzero(accuracies == accuracies.max())
    return float(_CANDIDATES[best[len(best) // 2]])
