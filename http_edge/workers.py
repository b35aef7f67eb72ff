"""Which workers were heard on `face.workers`, and which of them would answer a caller now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from schemas.results import WorkerStatus

#: words that may be missed, and what a word may be late by, before a worker counts as gone
_MISSED_WORDS = 3
_LATE_S = 1.0
#: how long a worker that says nothing any more is still told of
_FORGOTTEN_S = 60.0


@dataclass(frozen=True, slots=True)
class HeardWorker:
    """A worker's last word, and how long ago it came."""

    status: WorkerStatus
    age_s: float
    #: it is at work on the interactive lane, with models, and makes progress
    able: bool


@dataclass(slots=True)
class _Heard:
    status: WorkerStatus
    at: float
    #: the last word in which it held partitions of the interactive lane and had models
    held_at: float | None
    #: the first word since which it has had work and settled nothing
    unmoved_since: float | None


class HeardWorkers:
    """The words of workers by their id. `clock`: seconds, monotonic: theirs may differ."""

    def __init__(
        self,
        requests_topic: str,
        *,
        interval_s: float,
        stalled_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests_topic = requests_topic
        self._window_s = _MISSED_WORDS * interval_s + _LATE_S
        self._stalled_s = stalled_s
        self._clock = clock
        self._heard: dict[str, _Heard] = {}

    def hear(self, value: bytes | None) -> None:
        """Take a heartbeat in. What is none is passed over: anybody may write to a topic."""
        if value is None:
            return  # a tombstone
        try:
            status = WorkerStatus.model_validate_json(value)
        except ValidationError:
            return
        now = self._clock()
        before = self._heard.get(status.id)
        if before is not None and before.status.started_at_ms != status.started_at_ms:
            before = None  # a new process under the old name
        self._heard[status.id] = _Heard(
            status, now, self._held_at(status, before, now), _unmoved_since(status, before, now)
        )
        self._forget(now)

    def _held_at(self, status: WorkerStatus, before: _Heard | None, now: float) -> float | None:
        """While partitions change hands every worker may say for a moment that it has none."""
        if status.state != "running" or status.models is None:
            return None
        if status.partitions.get(self._requests_topic):
            return now
        return before.held_at if before else None

    def _forget(self, now: float) -> None:
        for worker_id, heard in tuple(self._heard.items()):
            if now - heard.at > max(_FORGOTTEN_S, self._window_s):
                del self._heard[worker_id]

    @property
    def all(self) -> Sequence[HeardWorker]:
        """Every worker that was heard in the last minute, by id."""
        now = self._clock()
        self._forget(now)
        return [
            HeardWorker(heard.status, now - heard.at, self._is_able(heard, now))
            for _, heard in sorted(self._heard.items())
        ]

    def any_able(self) -> bool:
        """Whether a request would be answered."""
        now = self._clock()
        return any(self._is_able(heard, now) for heard in self._heard.values())

    def shares(self, partitions: int) -> list[list[int]]:
        """The partitions of the interactive lane that each able worker holds; it has so many."""
        now = self._clock()
        return [
            [
                number
                for number in heard.status.partitions.get(self._requests_topic, ())
                if 0 <= number < partitions
            ]
            for heard in self._heard.values()
            if self._is_able(heard, now)
        ]

    def _is_able(self, heard: _Heard, now: float) -> bool:
        return (
            now - heard.at <= self._window_s
            and heard.held_at is not None
            and now - heard.held_at <= self._window_s
            and (heard.unmoved_since is None or now - heard.unmoved_since <= self._stalled_s)
        )


def _unmoved_since(status: WorkerStatus, before: _Heard | None, now: float) -> float | None:
    if status.in_flight == 0:
        return None
    if before is None or before.status.settled != status.settled:
        return now
    return now if before.unmoved_since is None else before.unmoved_since
