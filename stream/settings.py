"""Everything that a worker process is told, in one frozen object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stream.image_settings import ImageSettings
from stream.io.blobs import BlobSettings
from stream.io.kafka import GroupSettings
from stream.models.settings import ModelSettings

Seconds = Annotated[float, Field(gt=0)]


class WorkerSettings(GroupSettings, ImageSettings, BlobSettings, ModelSettings):
    """The environment's names are the fields' names in capitals."""

    max_workers: int = Field(
        default=2, ge=1, le=256, description="operating-system processes on this host"
    )
    cpu_affinity: Literal["auto", "off"] = Field(
        default="auto",
        description="`auto`: where workers times threads are as many as the processors, each "
        "worker keeps to its own while all are busy; `off`: the kernel chooses",
    )
    worker_timeout: Seconds = Field(
        default=120,
        description="seconds: a worker that hangs longer in one step is killed and started "
        "again; the longest that a graceful stop may take",
    )

    max_attempts: int = Field(
        default=3, ge=1, description="deaths of a worker over one event, then it is dead-lettered"
    )
    crash_notes_dir: Path | None = Field(
        default=None,
        description="a folder that outlives this host's processes, so that the deaths of whole "
        "hosts are counted too; else a temporary one",
    )
    event_timeout_s: Seconds = Field(
        default=60,
        description="the longest that an image is tried for; who waits for a place of a host that "
        "serves nothing so long is failed",
    )
    max_fetch_timeouts: int = Field(
        default=2, ge=1, description="slow downloads of one image that are tried"
    )
    deadline_allowance_s: float = Field(
        default=0.5, ge=0, description="for clocks that differ: a deadline counts as passed after"
    )
    fetch_places: int = Field(default=32, ge=1, description="downloads at once, per lane")
    fetch_places_per_origin: int = Field(
        default=8, ge=1, description="of them, from one host or bucket"
    )
    retry_places: int = Field(default=64, ge=1, description="events that wait to retry, per lane")
    decoded_places: int = Field(default=8, ge=1, description="decoded images at once, per lane")
    result_cache_bytes: int = Field(
        default=0, ge=0, description="of the faces that are kept for when their image comes again"
    )

    session_timeout_s: Seconds = Field(
        default=6, description="Kafka gives a silent worker's partitions away after it"
    )
    commit_interval_s: Seconds = Field(default=0.2, description="between two commits of offsets")
    heartbeat_interval_s: Seconds = Field(default=2, description="between two words of a worker")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="where the supervisor serves the metrics of all its workers; 0: any that is "
        "free, none: not at all",
    )
    metrics_host: str = "0.0.0.0"  # noqa: S104 - Prometheus asks from elsewhere; counts only

    @property
    def allowed_reply_topics(self) -> tuple[str, ...]:
        """Names and patterns of the topics that replies may go to."""
        if self.reply_topics is None:
            return (self.topics.replies, f"{self.topics.replies}.*")
        return tuple(name.strip() for name in self.reply_topics.split(",") if name.strip())

    @property
    def decode_threads(self) -> int:
        """Per lane: decoding runs ahead of the one compute thread."""
        return max(1, min(2, (os.cpu_count() or 1) // self.max_workers))
