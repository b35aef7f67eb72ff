"""`GET /api/v1/live`: what a listener is told, as server-sent events."""

from __future__ import annotations

import asyncio

from aiohttp import web
from pydantic import BaseModel

from http_edge.contract import LIVE_EVENTS
from http_edge.edge import EDGE
from http_edge.live import Listener
from schemas import wire

#: proxies cut off what says nothing for a minute
_SILENCE_S = 15.0
#: a caller who takes nothing so long gives its place to others
_STUCK_S = 30.0
_STILL_HERE = b": still here\n\n"
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",  # nginx would keep events back
}
_NAMES = {kind: name for name, kind in LIVE_EVENTS.items()}


async def live(request: web.Request) -> web.StreamResponse:
    async with request.app[EDGE].live.listen() as listener:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        try:
            while lines := await _next(listener):
                async with asyncio.timeout(_STUCK_S):
                    await response.write(lines)
        except (TimeoutError, ConnectionResetError):  # what is left cannot be sent
            if request.transport is not None:
                request.transport.abort()
        return response


async def _next(listener: Listener) -> bytes:
    """Nothing when the edge stops."""
    try:
        async with asyncio.timeout(_SILENCE_S):
            return b"".join(map(_event, await listener.next()))
    except TimeoutError:
        return _STILL_HERE


def _event(message: BaseModel) -> bytes:
    name = _NAMES[type(message)].encode()
    return b"event: %b\ndata: %b\n\n" % (name, wire.dumps(message))
