"""More and less light on a picture, as it falls: a factor of linear light, not of sRGB's levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)


def in_light(image: NDArray[np.uint8], light: ArrayLike) -> NDArray[np.uint8]:
    """image: uint8, sRGB, of any shape. light: one factor, or many that fit."""
    linear = _LINEAR[image] * np.asarray(light)
    levels = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(levels * 255), np.uint8)
