"""An edge from its start to its graceful stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import threading
from contextlib import AsyncExitStack, suppress

from http_edge.app import build_app
from http_edge.kafka import Gateway
from http_edge.listening import listening
from http_edge.logs import write_access_log
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from stream.io.blobs import BlobStore

log = logging.getLogger(__name__)


class Link:
    """The socket to a supervising process: it is told where we listen and that we are ready, and
    its end is ours. Without one (`None`) nobody is told, and nobody's end matters.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)

    def say(self, **state: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is gone, and we are about to hear of it
                self._socket.sendall(json.dumps(state).encode() + b"\n")

    def watch(self, stop: asyncio.Event) -> None:
        """Set `stop` when the supervising process has ended."""
        link, loop = self._socket, asyncio.get_running_loop()
        if link is None:
            return

        def wait_for_its_end() -> None:
            with suppress(OSError):
                link.recv(1)
            with suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_its_end, name="supervisor-watch", daemon=True).start()


def log_to_stderr() -> None:
    """The edge's log lines; those of requests go to standard output, as JSON."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s edge %(name)s: %(message)s"
    )
    write_access_log()


async def serve(settings: EdgeSettings, link: Link) -> None:
    """Serve until told to stop. Callers who wait then still get their answers.

    Raises `OSError` where the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    link.watch(stop)
    serving = asyncio.create_task(_serve(settings, link))
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _serve(settings: EdgeSettings, link: Link) -> None:
    async with AsyncExitStack() as stack:
        metrics = EdgeMetrics()
        gateway = await stack.enter_async_context(Gateway(settings, metrics))
        blobs = await stack.enter_async_context(BlobStore(settings))
        app = build_app(settings, gateway, blobs, metrics)
        url = await stack.enter_async_context(listening(app, settings))
        log.info("listens at %s", url)
        link.say(url=url)
        await gateway.until_ready()
        log.info("is ready: a worker is heard")
        link.say(state="ready")
        await asyncio.Event().wait()
