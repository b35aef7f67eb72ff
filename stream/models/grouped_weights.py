"""Convolutions of two channels a group, put so that each channel is computed by itself.

Neither ONNX Runtime nor OpenVINO has a fast way for few channels a group, unless it is one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH = 16  # channels: one AVX-512 register of float32


class Pairs(NamedTuple):
    """Of x with its partners' channels exchanged, and of x itself: what two channels a group make
    is the sum of `own` over x and `other` over the exchanged. One channel a group, both."""

    own: NDArray[Any]
    """(channels, 1, 1, …): groups, outputs, inputs, the kernel's sides."""
    other: NDArray[Any]
    """(channels, 1, 1, …)."""
    exchange: NDArray[Any]
    """(channels / 16, 16, 16, 1, 1): what exchanges partners, in groups of a register's width."""


def in_pairs(weights: NDArray[Any]) -> Pairs | None:
    """weights: (groups, outputs, inputs, height, width). `None` unless a group has two of both, and
    the channels are a multiple of 16."""
    groups, *of_a_group = weights.shape[:3]
    channels = 2 * groups
    if of_a_group != [2, 2] or channels % WIDTH:
        return None
    alone = (channels, 1, 1, *weights.shape[3:])
    partners = np.eye(WIDTH, dtype=weights.dtype)[np.arange(WIDTH) ^ 1]
    return Pairs(
        own=weights[:, [0, 1], [0, 1]].reshape(alone),
        other=weights[:, [0, 1], [1, 0]].reshape(alone),
        exchange=np.tile(partners[:, :, np.newaxis, np.newaxis], (channels // WIDTH, 1, 1, 1, 1)),
    )
