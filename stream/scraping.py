"""One port a host: the supervisor serves `/metrics`, and asks its workers when it is asked.

Each worker answers on a Unix socket. What a process counted ends with it, so that nothing of a dead
one is left to be told apart from the living.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stream.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger(__name__)

#: a worker that does not answer in this time is told of as not up; Prometheus waits 10 s for all
_ANSWER_TIMEOUT_S = 2.0


class MetricsPortTaken(RuntimeError):
    """Nothing can listen at METRICS_HOST and METRICS_PORT; the message says why."""


@asynccontextmanager
async def answering(path: Path | None, exposed: Callable[[], bytes]) -> AsyncIterator[None]:
    """Tell whoever connects to the socket at `path` what is exposed; without a path, nobody."""
    if path is None:
        yield
        return

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(exposed())
            await writer.drain()
        except ConnectionError:
            log.debug("who asked for the metrics is gone")
        finally:
            writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield


async def ask(path: Path) -> str | None:
    """What the process behind the socket exposes; `None` where it does not answer."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read(-1)).decode() or None
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


@asynccontextmanager
async def serving(
    host: str, port: int, gathered: Callable[[], Awaitable[bytes]]
) -> AsyncIterator[None]:
    """`GET /metrics` answers what is gathered then. Raises `MetricsPortTaken`."""
    from aiohttp import web  # which workers, that only answer, need not load

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await gathered(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise MetricsPortTaken(
                f"METRICS_PORT: no metrics at {host}:{port}: {error.strerror or error}"
            ) from None
        log.info("metrics at http://%s:%d/metrics", host, runner.addresses[0][1])
        yield
    finally:
        await runner.cleanup()
