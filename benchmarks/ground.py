"""What each part of a benchmark stands on: a broker, and the settings of workers and edge."""

from __future__ import annotations

import math
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.brokers import BenchBroker, open_broker
from benchmarks.deployment import Deployment, StartEdge
from schemas.topics import DEFAULT_PARTITIONS
from stream.forked import WORKER
from stream.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line gives to every part."""

    environ: Mapping[str, str]
    #: above `environ`: what options changed
    changes: Mapping[str, str]
    #: `embedded` or `host:port`
    broker: str
    start_edge: StartEdge
    on_step: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """`settings` say the same as `environ`."""

    broker: BenchBroker
    settings: WorkerSettings
    environ: Mapping[str, str]

    def deployment(
        self, start_edge: StartEdge | None = None, worker: Sequence[str] = WORKER
    ) -> Deployment:
        return Deployment(
            self.settings,
            self.environ,
            self.broker.partitions,
            start_edge=start_edge,
            worker=worker,
        )


@contextmanager
def ground(given: Given, folders: Sequence[Path], **changes: str) -> Iterator[Ground]:
    """While the block lasts. folders: that workers may read. changes: of the environment.

    Raises what the broker raises.
    """
    changes = {**given.changes, **changes}
    # each worker holds as many partitions as the others
    workers = WorkerSettings.model_validate(_fields(changes)).max_workers
    partitions = workers * math.ceil(DEFAULT_PARTITIONS / workers)
    given.on_step("the broker starts")
    with (
        tempfile.TemporaryDirectory(prefix="facestream-bench-") as folder,
        open_broker(given.broker, partitions) as broker,
    ):
        changes |= broker.environment | {
            "IMAGE_SOURCES": ",".join(one.as_uri() for one in folders),
            "BLOB_STORE_URL": folder,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "API_KEY": secrets.token_urlsafe(24),
        }
        settings = WorkerSettings.model_validate(_fields(changes))
        yield Ground(broker, settings, {**given.environ, **changes})


def _fields(changes: Mapping[str, str]) -> dict[str, str]:
    """Variables of the environment as the settings' fields."""
    return {name.lower(): value for name, value in changes.items()}
