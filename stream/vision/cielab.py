"""sRGB and CIELAB by the standards' formulas: OpenCV's tables are off by up to 0.2.

Sources: IEC 61966-2-1 (sRGB), CIE 15:2004 (CIELAB, white D65, observer 2°).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)  # D65 as sRGB has it: grey has neither a nor b
_EPSILON = (6 / 29) ** 3
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)


def from_bgr(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 3) uint8 BGR, sRGB → (N, 3): L in [0, 100], a and b in [-128, 127].

    Raises `ValueError` for another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3:
        raise ValueError(f"pixels are (N, 3) uint8, not {pixels.shape} {pixels.dtype}")
    xyz = _LINEAR[pixels[:, ::-1]] @ _TO_XYZ.T / _WHITE
    root = np.where(xyz > _EPSILON, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def to_rgb(lab: NDArray[np.float64]) -> tuple[int, int, int]:
    """(3,) → red, green, blue in [0, 255]; what sRGB cannot show is clipped.

    Raises `ValueError` for another shape and for what is no colour: not finite, or L outside of
    [0, 100].
    """
    if lab.shape != (3,) or not np.isfinite(lab).all() or not 0 <= lab[0] <= 100:
        raise ValueError(f"{lab} is no CIELAB colour")
    y = (lab[0] + 16) / 116
    root = np.array([y + lab[1] / 500, y, y - lab[2] / 200])
    xyz = np.where(root > 6 / 29, root**3, (root - 4 / 29) * 3 * (6 / 29) ** 2)
    linear = np.clip(np.linalg.solve(_TO_XYZ, xyz * _WHITE), 0, 1)
    levels = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(levels * 255).astype(int)
    return int(red), int(green), int(blue)
