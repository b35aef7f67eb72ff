"""One caller's wait at the HTTP edge, beside the same inference called directly.

Image by image, in one run, the side that goes first by turns: a machine's noise meets both alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from benchmarks.batches import BenchmarkFailed

if TYPE_CHECKING:
    from stream.pipeline import Pipeline
    from stream.settings import WorkerSettings

_WARM_UP_IMAGES = 20
_TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds of each image, in the order of the run, and how many of them show no face."""

    edge_ms: tuple[float, ...]
    direct_ms: tuple[float, ...]
    no_face: int


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Milliseconds. `added_median_ms`: of the medians' difference; what lies around inference."""

    images: int
    no_face: int
    edge_median_ms: float
    edge_p95_ms: float
    direct_median_ms: float
    direct_p95_ms: float
    added_median_ms: float
    #: the middle one of the images' own differences
    added_by_image_median_ms: float


def summarize_waits(waits: Waits) -> LatencyReport:
    """At least one image is wanted."""
    pairs = zip(waits.edge_ms, waits.direct_ms, strict=True)
    edge_ms, direct_ms = median(waits.edge_ms), median(waits.direct_ms)
    return LatencyReport(
        images=len(waits.edge_ms),
        no_face=waits.no_face,
        edge_median_ms=edge_ms,
        edge_p95_ms=_p95(waits.edge_ms),
        direct_median_ms=direct_ms,
        direct_p95_ms=_p95(waits.direct_ms),
        added_median_ms=edge_ms - direct_ms,
        added_by_image_median_ms=median(edge - direct for edge, direct in pairs),
    )


def _p95(values: Sequence[float]) -> float:
    """The least value that 95 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


class OneCaller:
    """`await OneCaller(pipeline, settings, session, url, headers).measure(paths, on_step)`.

    The session is kept open between requests, as a client's is. `url` is that of the edge, without
    a path; `headers` authorize.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: WorkerSettings,
        session: aiohttp.ClientSession,
        url: str,
        headers: Mapping[str, str],
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._session = session
        self._url = f"{url}/api/v1/extract-embedding"
        self._headers = {**headers, "Content-Type": "image/jpeg"}

    async def measure(self, paths: Sequence[Path], on_step: Callable[[str], None]) -> Waits:
        """After a warm-up. Raises `BenchmarkFailed` where the sides do not say the same."""
        on_step("warm-up")
        for path in paths[:_WARM_UP_IMAGES]:
            await self._pair(path.read_bytes(), edge_first=True)
        edge_ms, direct_ms, no_face = [], [], 0
        for number, path in enumerate(paths):
            on_step(f"image {number + 1} of {len(paths)}")
            there_ms, here_ms, found = await self._pair(
                path.read_bytes(), edge_first=number % 2 == 0
            )
            edge_ms.append(there_ms)
            direct_ms.append(here_ms)
            no_face += not found
        return Waits(tuple(edge_ms), tuple(direct_ms), no_face)

    async def _pair(self, image: bytes, *, edge_first: bool) -> tuple[float, float, bool]:
        """Milliseconds at the edge and directly, and whether there is a face."""
        if edge_first:
            there_ms, theirs = await self._ask(image)
            here_ms, ours = self._compute(image)
        else:
            here_ms, ours = self._compute(image)
            there_ms, theirs = await self._ask(image)
        if (theirs is None) != (ours is None) or not _alike(theirs or [], ours or []):
            raise BenchmarkFailed("the edge and the direct call found different faces")
        return there_ms, here_ms, ours is not None

    async def _ask(self, image: bytes) -> tuple[float, list[float] | None]:
        started_at = time.perf_counter()
        async with self._session.post(
            self._url, data=image, headers=self._headers, timeout=_TIMEOUT
        ) as answer:
            body = await answer.read()
        elapsed_ms = (time.perf_counter() - started_at) * 1000
        said: dict[str, Any] = orjson.loads(body)
        if answer.status == HTTPStatus.OK:
            return elapsed_ms, said["embedding"]
        if said.get("code") == "no_face":
            return elapsed_ms, None
        raise BenchmarkFailed(f"the edge answered {answer.status}: {said.get('error')}")

    def _compute(self, image: bytes) -> tuple[float, list[float] | None]:
        from stream.images import open_photograph

        started_at = time.perf_counter()
        settings = self._settings
        photograph = open_photograph(image, settings.max_image_pixels, settings.enough_px)
        faces = self._pipeline.run(photograph, "embed", 1, {})
        elapsed_ms = (time.perf_counter() - started_at) * 1000
        return elapsed_ms, None if not faces else list(faces[0].embedding or ())


def _alike(theirs: Sequence[float], ours: Sequence[float]) -> bool:
    return len(theirs) == len(ours) and all(
        math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
        for one, other in zip(theirs, ours, strict=True)
    )
