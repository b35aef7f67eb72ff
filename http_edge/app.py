"""The aiohttp application: routes, CORS, and the two layers that every request passes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

import aiohttp_cors
from aiohttp import HttpVersion10, HttpVersion11, web

from http_edge import pages, playground
from http_edge.auth import CHALLENGE
from http_edge.contract import API, ROUTES
from http_edge.edge import EDGE, Edge
from http_edge.errors import NotHttp, Problem, Unauthorized, problem_of, unexpected
from http_edge.intake import RECEIVED
from http_edge.kafka import Gateway
from http_edge.logs import REQUEST_ID, log_request, request_id_of
from http_edge.metrics import EdgeMetrics
from http_edge.routes import HANDLERS, Handler, answered
from http_edge.settings import EdgeSettings
from schemas.http import ErrorAnswer
from stream.io.blobs import BlobStore

log = logging.getLogger(__name__)

#: a caller who hung up has no status: nginx's number for it, in logs and metrics alone
_HUNG_UP = 499
NO_ROUTE = "other"
_ID: Final = web.RequestKey("request id", str)
#: of a stream, which goes on after its answer: its status, and when it began
_BEGUN: Final = web.RequestKey("begun", tuple[int, float])
_KEYED: Final = frozenset((route.method, route.path) for route in ROUTES if route.keyed)
_CORS_HEADERS = ("Authorization", "Content-Type", REQUEST_ID, "traceparent")
_CORS_EXPOSED = (REQUEST_ID, "Retry-After", "WWW-Authenticate")
_CORS_MAX_AGE_S = 600


def build_app(
    settings: EdgeSettings, gateway: Gateway, blobs: BlobStore, metrics: EdgeMetrics
) -> web.Application:
    """The whole edge but for its socket and what it was given: those are the caller's to close."""
    app = web.Application(middlewares=[_answering, _guarding])
    app[EDGE] = Edge.build(settings, gateway, blobs, metrics)
    for route in ROUTES:
        if route.method == "GET":
            # HEAD would be another method than the one that wants a key
            app.router.add_get(route.path, HANDLERS[route.name], allow_head=not route.keyed)
        else:
            app.router.add_post(route.path, HANDLERS[route.name])
    app.router.add_get(pages.OPENAPI, pages.openapi)
    app.on_response_prepare.append(_prepare)
    app.on_shutdown.append(_end_streams)
    _allow_origins(app, settings.allowed_origins)
    pages.add_to(app)
    playground.add_to(app)
    return app


def _allow_origins(app: web.Application, origins: tuple[str, ...]) -> None:
    """CORS for every route that is there by now."""
    options = {
        "allow_headers": _CORS_HEADERS,
        "expose_headers": _CORS_EXPOSED,
        "max_age": _CORS_MAX_AGE_S,
    }
    cors = aiohttp_cors.setup(app, defaults={origin.rstrip("/"): options for origin in origins})
    for route in list(app.router.routes()):
        cors.add(route)


@web.middleware
async def _answering(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever happens is answered in the contract's words, counted, and logged in one line."""
    started = time.monotonic()
    request_id = request[_ID] = request_id_of(request.headers.get(REQUEST_ID))
    status, code = _HUNG_UP, None
    try:
        response, code = await _respond(request, handler, request_id)
        status = response.status
        return response
    finally:
        status, answered_at = request.get(_BEGUN, (status, time.monotonic()))
        seconds, route = answered_at - started, _route_of(request)

        def tell() -> None:
            request.app[EDGE].metrics.answered(route, status, seconds)
            log_request(
                request_id=request_id,
                method=request.method,
                route=route,
                status=status,
                code=code,
                milliseconds=seconds * 1000,
                received_bytes=request.get(RECEIVED, 0),
            )

        asyncio.get_running_loop().call_soon(tell)  # once the answer is written: it is waited for


async def _respond(
    request: web.Request, handler: Handler, request_id: str
) -> tuple[web.StreamResponse, str | None]:
    """The response, and the error's code where it is one."""
    try:
        return await handler(request), None
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            log.exception("request %s", request_id)
            problem = unexpected()
        response = refusal(problem, request_id)
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = error.headers["Allow"]
        return response, problem.code


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Before an answer's first byte, of a stream too; what never came so far has its headers."""
    if _ID in request:
        add_headers(response, request[_ID], api=request.path.startswith(API))
        request[_BEGUN] = (response.status, time.monotonic())


async def _end_streams(app: web.Application) -> None:
    """A stop waits for callers, and these would never leave."""
    app[EDGE].live.close()


@web.middleware
async def _guarding(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The key, and how often it is used, before the body is read."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise NotHttp("Not HTTP/1.1")
    if (request.method, _route_of(request)) in _KEYED:
        edge = request.app[EDGE]
        edge.rate_limit.take(edge.keys.admit(request.headers.get("Authorization")))
    return await handler(request)


def refusal(problem: Problem, request_id: str) -> web.Response:
    """The answer in place of an answer."""
    body = ErrorAnswer(
        face_detected=False, error=problem.message, code=problem.code, request_id=request_id
    )
    response = answered(body, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.code == Unauthorized.code:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def add_headers(response: web.StreamResponse, request_id: str, *, api: bool) -> None:
    """Those that every answer has."""
    response.headers[REQUEST_ID] = request_id
    response.headers["Server"] = "facestream"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store" if api else "no-cache")
    response.headers.setdefault("Vary", "Origin")


def _route_of(request: web.Request) -> str:
    """The route's pattern: no label and no line ever holds a path of the caller's making."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else NO_ROUTE
