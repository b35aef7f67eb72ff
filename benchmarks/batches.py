"""What a side is given to compute, and what it says it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.results import ModelInfo
from schemas.topics import Operation


class BenchmarkFailed(RuntimeError):
    """A side did not do its work, so that there is nothing to compare; the message says what."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The same for both sides: files, in their order, and what to do with each."""

    operation: Operation
    paths: tuple[Path, ...]
    max_faces: int


@dataclass(frozen=True, slots=True)
class Run:
    """One side's way through a batch."""

    elapsed_s: float
    #: faces found, in the order of the batch; None where the image failed
    faces: tuple[int | None, ...]
    #: milliseconds of each stage that was measured, as a mean over the images that had it
    stage_ms: dict[str, float]
    #: what computed them, where the side says so
    model: ModelInfo | None = None

    @property
    def images_per_s(self) -> float:
        return len(self.faces) / self.elapsed_s

    @property
    def failed(self) -> int:
        return sum(count is None for count in self.faces)


def mean_by_stage(timings_ms: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each stage over the images in which it ran."""
    stages: dict[str, list[float]] = {}
    for timings in timings_ms:
        for stage, elapsed_ms in timings.items():
            stages.setdefault(stage, []).append(elapsed_ms)
    return {stage: round(sum(each) / len(each), 3) for stage, each in stages.items()}
