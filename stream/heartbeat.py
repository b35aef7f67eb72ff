"""A worker's word: to everybody on `face.workers`, and to its supervisor on a pipe."""

from __future__ import annotations

import logging
import socket
import time
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict

from schemas import wire
from schemas.results import WorkerStatus
from schemas.topics import Topics
from stream.io.producer import MessageTooLarge, Producer, SendFailed

log = logging.getLogger(__name__)


#: a worker's exit code: the pack or its files cannot be had, starting again at once will not help
EXIT_NO_MODELS = 3

WorkerState = Literal["starting", "running", "stopping", "stopped", "failed"]


class Beat(BaseModel):
    """A line on the pipe to the supervisor."""

    model_config = ConfigDict(frozen=True)

    state: WorkerState
    partitions: int | None = None
    """Held now; `None` until a first assignment, which may be of none."""
    step_age_s: float
    """Seconds since the step in the compute thread began; 0 when it is idle."""
    message: str | None = None
    """Why it failed, where it knows."""


def write_beat(pipe: TextIO, beat: Beat) -> None:
    """One JSON line. A supervisor that is gone is not missed: the worker ends by itself then."""
    try:
        pipe.write(beat.model_dump_json() + "\n")
        pipe.flush()
    except OSError:
        log.debug("the supervisor's pipe is closed")


def failed_status(worker_id: str, *, started_at: float, message: str) -> WorkerStatus:
    """What is said in a dead worker's place. started_at: epoch seconds."""
    return WorkerStatus(
        id=worker_id,
        host=socket.gethostname(),
        pid=None,
        state="failed",
        partitions={},
        models=None,
        in_flight=0,
        settled=0,
        replies_failed=0,
        progress_at_ms=None,
        at_ms=round(time.time() * 1000),
        started_at_ms=round(started_at * 1000),
        message=message,
    )


async def publish_status(producer: Producer, topics: Topics, status: WorkerStatus) -> None:
    """Send one heartbeat; that it could not be sent is logged and no more."""
    source = f"/facestream/workers/{status.id}"
    headers = wire.cloud_event(
        wire.WORKER_TYPE, event_id=f"{status.id}-{status.at_ms}", source=source
    )
    try:
        await producer.enqueue(
            topics.workers, wire.dumps(status), key=status.id.encode(), headers=headers
        )
    except (MessageTooLarge, SendFailed) as error:
        log.warning("heartbeat not sent: %s", error)
