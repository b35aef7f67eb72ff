"""`facestream edge` as a process of its own, and what it writes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli.edge_process import EdgeProcess
from tests.brokers import Broker


@dataclass(frozen=True, slots=True)
class RunningEdge:
    """`log` has all that it wrote: its requests' lines and its own."""

    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port


@asynccontextmanager
async def running_edge(
    broker: Broker, folder: Path, key: str, **environ: str
) -> AsyncIterator[RunningEdge]:
    """An edge that is ready. `environ`: of its settings; its blobs are in `folder`."""
    settings = {
        **os.environ,
        **broker.environment,
        "API_KEY": key,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "BLOB_STORE_URL": str(folder / "blobs"),
        **environ,
    }
    path = folder / "edge.log"
    with path.open("wb") as log:
        async with EdgeProcess(settings, longest_answer_s=5, log=log) as edge:
            await edge.ready()
            assert edge.url is not None
            yield RunningEdge(edge.url, path)
