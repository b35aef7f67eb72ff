"""The seams between the pipeline and what computes: six protocols, each with one method.

Images are (H, W, 3) uint8 BGR; coordinates are pixels of that image, x before y. Implementations
are safe to call from several threads at once and may raise anything: the pipeline turns it into
`InferenceFailed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.results import EmotionEngine, Gender

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces of one image, the most confident first."""

    boxes: Floats
    """(N, 4): left, top, right, bottom."""
    scores: Floats
    """(N,) in [0, 1]."""
    points: Floats | None
    """(N, 5, 2): the eyes, the nose, the corners of the mouth; left before right, as seen."""


@dataclass(frozen=True, slots=True)
class Attributes:
    age_years: int
    gender: Gender
    gender_score: float
    """In [0.5, 1]: the share of the network's two scores that `gender` has, by softmax."""


class Enough(Protocol):
    def __call__(self, found: Detections, sure: NDArray[np.bool_]) -> bool:
        """Whether who is not sure does not matter. sure: (N,), of the faces found."""
        ...


class Detector(Protocol):
    def detect(self, image: Image, enough: Enough | None = None) -> Detections:
        """The faces. With `enough`, those that it says do not matter may be missing."""
        ...


class Recognizer(Protocol):
    def embed(self, image: Image, points: Floats) -> Floats | None:
        """points: (5, 2). Returns (512,), as the model gives it: not normalised. `None` for points
        that span no face."""
        ...


class Landmarker(Protocol):
    def locate(self, image: Image, box: Floats, points_5: Floats | None = None) -> Floats | None:
        """box: (4,); points_5: (5, 2), where known. Returns (N, 2) or (N, 3); the third axis in the
        pixels of the first two. `None` for a box without extent, and points in one place."""
        ...


class AttributeModel(Protocol):
    def estimate(
        self, image: Image, box: Floats, points_106: Floats | None = None
    ) -> Attributes | None:
        """box: (4,); points_106: (106, 2), where known. `None` for a box without extent."""
        ...


class EmotionModel(Protocol):
    @property
    def engine(self) -> EmotionEngine: ...

    def emotions(self, face: Image) -> Floats:
        """face: the box's pixels. Returns (7,) probabilities, in `EMOTIONS`' order."""
        ...


class LivenessModel(Protocol):
    def score(self, image: Image, points: Floats) -> float | None:
        """points: (5, 2). Returns the probability, in [0, 1], that the face is live; `None` where
        less than 70 % of what the model wants to see lies in the image."""
        ...
