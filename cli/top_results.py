"""Results as they come: how many of which status, and what they spent in each stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from cli.top_figures import OperationFigures, StageFigures
from cli.windows import Window, percentile
from schemas.results import Status
from schemas.topics import OPERATIONS, Operation

#: those of the contract, in the order in which they run
STAGES = ("queue", "fetch", "decode", "detect", "embed", "analyze")
STATUSES: tuple[Status, ...] = ("ok", "no_face", "failed")


@dataclass(frozen=True, slots=True)
class _Settled:
    operation: Operation
    status: Status
    timings_ms: Mapping[str, float]


class TopResults:
    """Of the last `window_s` seconds. Times: seconds of one clock."""

    def __init__(self, window_s: float, began_at: float) -> None:
        self._window: Window[_Settled] = Window(window_s, began_at)

    def take(self, value: bytes | None, operation: Operation, at: float) -> None:
        """A result's bytes. What is none is passed over: anybody may write to a topic."""
        try:
            document = orjson.loads(value or b"")
            status, timings = document["status"], document["timings_ms"]
            if status in STATUSES:
                known = {stage: float(timings[stage]) for stage in STAGES if stage in timings}
                self._window.add(_Settled(operation, status, known), at)
        except (ValueError, KeyError, TypeError):
            return

    def covered_s(self, now: float) -> float:
        return self._window.covered_s(now)

    def per_second(self, now: float) -> float | None:
        """Of all operations."""
        return self._window.rate(sum(1 for _ in self._window.items(now)), now)

    def operations(self, now: float) -> dict[Operation, OperationFigures]:
        counts = Counter((result.operation, result.status) for result in self._window.items(now))
        figures = {}
        for operation in OPERATIONS:
            by_status = {status: counts[operation, status] for status in STATUSES}
            rate = self._window.rate(sum(by_status.values()), now)
            figures[operation] = OperationFigures(rate, by_status)
        return figures

    def stages(self, now: float) -> dict[str, StageFigures]:
        """Those that ran."""
        timings: dict[str, list[float]] = {stage: [] for stage in STAGES}
        for result in self._window.items(now):
            for stage, ms in result.timings_ms.items():
                timings[stage].append(ms)
        return {stage: _stage(sorted(ms)) for stage, ms in timings.items() if ms}


def _stage(ordered_ms: list[float]) -> StageFigures:
    return StageFigures(
        events=len(ordered_ms),
        p50_ms=round(percentile(ordered_ms, 0.5), 3),
        p95_ms=round(percentile(ordered_ms, 0.95), 3),
    )
