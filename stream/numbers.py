"""Arrays of float32 as Python numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray


def numbers(array: NDArray[np.float32]) -> Any:
    """Nested lists of the array's shape, each float the shortest that reads back as the same
    float32: `0.1`, where `tolist` gives `0.10000000149011612`. Halves the bytes of an embedding.

    The array must be finite.
    """
    packed = orjson.dumps(
        np.ascontiguousarray(array, dtype=np.float32), option=orjson.OPT_SERIALIZE_NUMPY
    )
    return orjson.loads(packed)
