"""What a side is given to compute, and what it says it did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from schemas.results import ModelInfo
from schemas.topics import Operation


class BenchmarkFailed(RuntimeError):
    """A side did not do its work, so that there is nothing to compare; the message says what."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The same for all sides: files, in their order, and what to do with each."""

    operation: Operation
    paths: tuple[Path, ...]
    max_faces: int


@dataclass(frozen=True, slots=True)
class Run:
    """One side's way through a batch; what is told of an image is in the order of the batch."""

    #: in which as many images as the batch has were computed
    elapsed_s: float
    #: faces found; None where the image failed
    faces: tuple[int | None, ...]
    #: milliseconds from the request to its answer
    waits_ms: tuple[float, ...]
    #: milliseconds of each stage, where the side tells them
    stages_ms: tuple[Mapping[str, float], ...] = ()
    #: what computed them, where the side says so
    model: ModelInfo | None = None
    #: of the batch's images, computed before and after them
    copies: int = 0

    @property
    def images_per_s(self) -> float:
        return len(self.faces) / self.elapsed_s

    @property
    def computed(self) -> int:
        """Images that took the processors' time."""
        return len(self.faces) + self.copies

    @property
    def failed(self) -> int:
        return sum(count is None for count in self.faces)


def joined(runs: Sequence[Run]) -> Run:
    """A side's runs, one after the other, as one. At least one is wanted."""
    return Run(
        elapsed_s=sum(run.elapsed_s for run in runs),
        faces=tuple(chain.from_iterable(run.faces for run in runs)),
        waits_ms=tuple(chain.from_iterable(run.waits_ms for run in runs)),
        stages_ms=tuple(chain.from_iterable(run.stages_ms for run in runs)),
        model=runs[0].model,
        copies=sum(run.copies for run in runs),
    )


def mean_by_stage(timings_ms: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each stage over the images in which it ran."""
    stages: dict[str, list[float]] = {}
    for timings in timings_ms:
        for stage, elapsed_ms in timings.items():
            stages.setdefault(stage, []).append(elapsed_ms)
    return {stage: round(sum(each) / len(each), 3) for stage, each in stages.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that so many per cent of them do not exceed; of at least one."""
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]
