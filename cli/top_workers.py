"""The workers that are heard: their words on `face.workers`, those from before we listened too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from cli.top_figures import WorkerFigures
from cli.windows import Growth
from schemas.results import WorkerStatus
from schemas.topics import Topics

#: how long one that says nothing any more is still told of, and one that said good-bye
_FORGOTTEN_S = 300.0
_STOPPED_S = 15.0


@dataclass(slots=True)
class _Heard:
    status: WorkerStatus
    at: float
    settled: Growth


class TopWorkers:
    """Workers by their id. Times: seconds of one clock."""

    def __init__(self, topics: Topics, window_s: float) -> None:
        self._topics = topics
        self._window_s = window_s
        self._heard: dict[str, _Heard] = {}

    def hear(self, value: bytes | None, at: float) -> None:
        """Take a heartbeat in. What is none is passed over: anybody may write to a topic."""
        try:
            status = WorkerStatus.model_validate_json(value or b"")
        except ValidationError:
            return
        before = self._heard.get(status.id)
        if before is None or before.status.started_at_ms != status.started_at_ms:
            settled = Growth(self._window_s)  # a new process, which counts from 0
        else:
            settled = before.settled
        settled.read(status.settled, status.at_ms / 1000)
        self._heard[status.id] = _Heard(status, at, settled)

    def figures(self, now: float) -> Sequence[WorkerFigures]:
        """Those that are of interest still, by id."""
        return [
            self._figures(heard, max(0.0, now - heard.at))
            for _, heard in sorted(self._heard.items())
            if now - heard.at < (_STOPPED_S if heard.status.state == "stopped" else _FORGOTTEN_S)
        ]

    def _figures(self, heard: _Heard, age_s: float) -> WorkerFigures:
        status = heard.status
        return WorkerFigures(
            id=status.id,
            host=status.host,
            state=status.state,
            message=status.message,
            pack=status.models.pack if status.models else None,
            partitions={
                "bulk": status.partitions.get(self._topics.images, []),
                "interactive": status.partitions.get(self._topics.requests, []),
            },
            in_flight=status.in_flight,
            settled=status.settled,
            settled_per_second=heard.settled.per_second,
            heard_s=round(age_s, 3),
        )
