"""An image in as few pixels as what looks at it needs: whole, or reduced by 2, 4 or 8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Reduction = int
"""1, 2, 4 or 8: so many pixels of the whole image, along a side, are one."""


@dataclass(slots=True, eq=False, repr=False)
class Photograph:
    """`seen`: (h, w, 3) uint8 BGR, upright, its sides those of the whole image over `reduced_by`,
    rounded up. Not for several threads at once.
    """

    height: int
    width: int
    seen: Pixels
    reduced_by: Reduction
    _decode: Callable[[Reduction], Pixels]
    _finer: dict[Reduction, Pixels] = field(default_factory=dict)

    @classmethod
    def whole(cls, pixels: Pixels) -> Self:
        """Of an image whose pixels are all there. pixels: (H, W, 3) uint8 BGR."""
        height, width = pixels.shape[:2]
        return cls(height, width, pixels, 1, lambda _: pixels)

    def pixels(self, reduced_by: Reduction) -> Pixels:
        """The image reduced by at most `self.reduced_by`; what was not seen yet is decoded, once.

        Raises what decoding raises.
        """
        if reduced_by == self.reduced_by:
            return self.seen
        if reduced_by not in self._finer:
            self._finer[reduced_by] = self._decode(reduced_by)
        return self._finer[reduced_by]

    def reduction(self, length_px: float, least_px: float) -> Reduction:
        """The largest at which `length_px` of what is seen has `least_px`, else the whole image."""
        reduced_by = self.reduced_by
        while reduced_by > 1 and length_px < least_px:
            reduced_by //= 2
            length_px *= 2
        return reduced_by
