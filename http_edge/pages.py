"""What is for people and for Prometheus: documentation, its files, the schema, the metrics."""

from __future__ import annotations

import secrets
from pathlib import Path
from string import Template
from typing import Final

from aiohttp import web

from http_edge import metrics
from http_edge.edge import EDGE
from http_edge.openapi import document_bytes

OPENAPI = "/openapi.json"

_STATIC = Path(__file__).parent / "static"
#: nothing from elsewhere, no inline script; styles of a page's own making carry its nonce
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}' {styles}; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: the two style elements that ReDoc adds without its nonce, of which one is empty
_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
#: what may be asked for: a list that is made from the folder once, not paths that callers make
_FILES = frozenset(
    path.relative_to(_STATIC).as_posix()
    for path in _STATIC.rglob("*")
    if path.suffix in (".js", ".css", ".json", ".png", ".svg")
)
_OPENAPI_BYTES: Final = web.AppKey("openapi", bytes)


def add_to(app: web.Application) -> None:
    app[_OPENAPI_BYTES] = document_bytes(app[EDGE].settings)
    app.router.add_get("/docs", _docs)
    app.router.add_get("/redoc", _redoc)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/static/{name:.+}", _packaged)


async def openapi(request: web.Request) -> web.Response:
    return web.Response(body=request.app[_OPENAPI_BYTES], content_type="application/json")


async def _docs(request: web.Request) -> web.Response:
    del request
    return _page("docs.html")


async def _redoc(request: web.Request) -> web.Response:
    del request
    return _page("redoc.html")


async def _packaged(request: web.Request) -> web.FileResponse:
    name = request.match_info["name"]
    if name not in _FILES:
        raise web.HTTPNotFound
    return web.FileResponse(_STATIC / name)


async def _metrics(request: web.Request) -> web.Response:
    edge = request.app[EDGE]
    able_workers = sum(worker.able for worker in edge.gateway.workers)
    exposed = edge.metrics.exposed(able_workers)
    return web.Response(body=exposed, headers={"Content-Type": metrics.CONTENT_TYPE})


def _page(name: str) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    text = Template((_STATIC / name).read_text(encoding="utf-8")).substitute(nonce=nonce)
    return web.Response(
        text=text,
        content_type="text/html",
        headers={
            "Content-Security-Policy": _POLICY.format(nonce=nonce, styles=_STYLES),
            "Referrer-Policy": "no-referrer",
        },
    )
