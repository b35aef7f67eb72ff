"""How alike two embeddings are."""

from __future__ import annotations

import math
from collections.abc import Sequence


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Cosine of the angle between two vectors of the same length, in [-1, 1].

    Both must be finite and not all zero; numbers near the ends of float64 do not overflow.
    """
    return max(-1.0, min(1.0, math.fsum(x * y for x, y in zip(_unit(a), _unit(b), strict=True))))


def _unit(vector: Sequence[float]) -> list[float]:
    largest = max(map(abs, vector))
    scaled = [value / largest for value in vector]
    norm = math.sqrt(math.fsum(value * value for value in scaled))
    return [value / norm for value in scaled]
