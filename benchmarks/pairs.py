"""How well embeddings tell persons apart: LFW's protocol on labelled pairs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str, bool]


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
    if not len(similarities):
        raise ValueError("no pairs")
    fold_of = np.arange(len(similarities)) % folds
    correct = 0
    for fold in range(folds):
        held_out = fold_of == fold
        threshold = _best_threshold(similarities[~held_out], same[~held_out])
        correct += int(((similarities[held_out] >= threshold) == same[held_out]).sum())
    return correct / len(similarities)


def pair_accuracy(
    pairs: Sequence[Pair], embeddings: Mapping[str, NDArray[np.float32]]
) -> tuple[float, int]:
    """(accuracy, pairs of which both images have an embedding)."""
    usable = [pair for pair in pairs if pair[0] in embeddings and pair[1] in embeddings]
    similarities = np.array([cosine(embeddings[a], embeddings[b]) for a, b, _ in usable])
    same = np.array([is_same for _, _, is_same in usable])
    return ten_fold_accuracy(similarities, same), len(usable)


def _best_threshold(similarities: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    candidates = np.arange(-1.0, 1.0, 0.005)
    accuracies = [((similarities >= threshold) == same).mean() for threshold in candidates]
    return float(candidates[int(np.argmax(accuracies))])
