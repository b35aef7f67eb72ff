"""The playground at `/`: its page under a strict policy, and the photographs to try it with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from http_edge import samples
from http_edge.samples import Sample

_PAGE = Path(__file__).parent / "static" / "playground.html"
#: everything from here, nothing inline, and no text ever becomes markup
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_INSTALLED: Final = web.AppKey("samples", Mapping[str, tuple[Sample, Path]])


def add_to(app: web.Application) -> None:
    app[_INSTALLED] = samples.installed()
    app.router.add_get("/", _page)
    app.router.add_get("/samples", _list)
    app.router.add_get("/samples/{name}", _photograph)


async def _page(request: web.Request) -> web.Response:
    del request
    text = _PAGE.read_text(encoding="utf-8")
    return web.Response(text=text, content_type="text/html", headers=_HEADERS)


async def _list(request: web.Request) -> web.Response:
    shown = [
        {"name": sample.name, "shows": sample.shows, "credit": sample.credit}
        for sample, _ in request.app[_INSTALLED].values()
    ]
    return web.Response(body=orjson.dumps(shown), content_type="application/json")


async def _photograph(request: web.Request) -> web.FileResponse:
    found = request.app[_INSTALLED].get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return web.FileResponse(found[1], headers={"Cache-Control": "max-age=3600"})
