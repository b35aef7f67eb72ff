"""Grouped convolutions of a few channels, in groups of 16: the same numbers, sooner.

Neither ONNX Runtime nor OpenVINO has a fast way for few channels a group, unless it is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 16  # channels: one AVX-512 register of float32


def is_narrow(weights: NDArray[Any]) -> bool:
    """weights: (groups, outputs, inputs, …)."""
    groups, outputs, inputs = weights.shape[:3]
    joins: bool = WIDTH % outputs == 0 and groups * outputs % WIDTH == 0
    return joins and 1 < outputs == inputs < WIDTH


def in_wider_groups(weights: NDArray[Any], width: int = WIDTH) -> NDArray[Any]:
    """weights: (groups, n, n, …), outputs before inputs, `n` a divisor of `width` and the channels
    a multiple of it. Returns (groups · n / width, width, width, …), 0 between what was apart."""
    groups, narrow = weights.shape[:2]
    joined = width // narrow
    wider = np.zeros((groups // joined, width, width, *weights.shape[3:]), weights.dtype)
    for group in range(groups):
        into, place = divmod(group, joined)
        channels = slice(place * narrow, (place + 1) * narrow)
        wider[into, channels, channels] = weights[group]
    return wider
