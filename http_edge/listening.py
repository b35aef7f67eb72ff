"""The edge's socket: how long a caller may take over a request's head, and what is no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from http_edge.app import NO_ROUTE, add_headers, refusal
from http_edge.edge import EDGE, Edge
from http_edge.errors import NotHttp, UploadTimedOut, problem_of, unexpected
from http_edge.logs import log_request, request_id_of
from http_edge.settings import EdgeSettings

#: a connection without a request; load balancers give theirs up after 60 s
_IDLE_S = 75.0
#: what a caller still sends is passed over so long: closed at once, it would lose our answer
_LINGER_S = 1.0
_BACKLOG = 1024


@asynccontextmanager
async def listening(app: web.Application, settings: EdgeSettings) -> AsyncIterator[str]:
    """The app on its port; gives its URL. A caller who hangs up ends its own wait."""
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=settings.request_timeout_s
    )
    await runner.setup()
    try:
        assert runner.server is not None
        connection = partial(_Connection, runner.server, app[EDGE])
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            connection, settings.host, settings.port, backlog=_BACKLOG
        )
        try:
            yield _url(settings.host, server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()


class _Connection(web.RequestHandler):
    """aiohttp's, with two differences. A request's head has `UPLOAD_TIMEOUT_S` from its first byte,
    where aiohttp would wait as long as it does for an idle caller. And what is no HTTP is answered
    in the contract's words: aiohttp's quote what came, in the answer and in the log, keys and all.
    """

    __slots__ = ("_edge", "_head_timer")

    def __init__(self, server: web.Server, edge: Edge) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_IDLE_S,
            access_log=None,  # type: ignore[arg-type]  # as aiohttp's own runner passes it: none
        )
        self._edge = edge
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._between_requests:
            self._stop_timer()
        elif self._head_timer is None:
            timeout_s = self._edge.settings.upload_timeout_s
            self._head_timer = self._loop.call_later(timeout_s, self._give_up_head)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    @property
    def _between_requests(self) -> bool:
        if self._waiter is None:  # a request is in work, or the connection is wholly new
            return self._request_count == 0
        return not self._waiter.done()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        """As aiohttp does with a head that is broken."""
        self._head_timer = None
        if self._waiter is not None and not self._waiter.done():
            late = UploadTimedOut("The request's head arrives too slowly")
            self._messages.append((_ErrInfo(status=408, exc=late, message=""), EMPTY_PAYLOAD))
            self._waiter.set_result(None)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that was broken is answered and logged; aiohttp stumbles over its rest again."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - it follows from the error
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what came
    ) -> web.StreamResponse:
        """The last answer of a connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        error = NotHttp("Not HTTP/1.1") if isinstance(exc, HttpProcessingError) else exc
        self.close()
        answer = self._refusal(error)
        return _LastResponse(status=answer.status, body=answer.body, headers=answer.headers)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """aiohttp's own refusals do not pass the app's layers."""
        if isinstance(resp, web.HTTPException):
            resp = self._refusal(resp)
        return await super().finish_response(request, resp, start_time)

    def _refusal(self, error: BaseException | None) -> web.Response:
        """Counted and logged, as the app does with what reaches it."""
        problem = problem_of(error) if isinstance(error, Exception) else None
        if problem is None:
            self.log_exception("outside of every handler", exc_info=error)
            problem = unexpected()
        request_id = request_id_of(None)
        self._edge.metrics.answered(NO_ROUTE, problem.status, 0.0)
        log_request(
            request_id=request_id,
            method=None,
            route=NO_ROUTE,
            status=problem.status,
            code=problem.code,
            milliseconds=0.0,
            received_bytes=0,
        )
        answer = refusal(problem, request_id)
        add_headers(answer, request_id, api=True)
        return answer


class _LastResponse(web.Response):
    """Sends its end, and lets the caller read it before the connection is closed."""

    async def write_eof(self, data: bytes = b"") -> None:
        transport = self._req.transport if self._req is not None else None
        await super().write_eof(data)
        if transport is not None and not transport.is_closing():
            transport.write_eof()
            await asyncio.sleep(_LINGER_S)  # cancelled when the caller hangs up


def _url(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - it is asked, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
