"""A hostile URL is refused by its code, and nobody is called: neither who listens nor who does not.

The fetcher is the workers' own, with real sockets and a real name server. What it connects to is
seen by the interpreter's audit hook, whatever library asks for it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.errors import ImageForbidden, ImageNotFound
from schemas.requests import ImageRef
from tests.dns_server import Zone
from tests.security.canary import IMAGE, canary, connections, fetching, refusal
from tests.security.hostile_urls import OF_ANOTHER_HOST, REDIRECTS, SECRET, URLS, ZONE


@asynccontextmanager
async def redirecting() -> AsyncIterator[TestServer]:
    """`/in/hop?to=…` redirects, `/in/image` and `/image` are the image."""

    async def hop(request: web.Request) -> web.Response:
        status = int(request.query.get("status", "302"))
        return web.Response(status=status, headers={"Location": request.query["to"]})

    async def image(_: web.Request) -> web.Response:
        return web.Response(body=IMAGE)

    app = web.Application()
    app.router.add_get("/in/hop", hop)
    app.router.add_get("/in/image", image)
    app.router.add_get("/image", image)
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text


def test_the_table_is_long_enough_and_says_nothing_twice() -> None:
    for table in (URLS, OF_ANOTHER_HOST, REDIRECTS):
        assert len(set(table)) == len(table)
    assert len(URLS) >= 60


async def test_where_all_hosts_are_allowed_a_hostile_url_reaches_nobody() -> None:
    codes = {}
    async with canary() as watched:
        everywhere = (
            f"http://*:{watched.port}/,https://*:{watched.port}/,http://*,https://*,"
            "http://metadata-named.test/"
        )
        async with fetching(everywhere, ZONE) as reader:
            with connections() as calls:
                for url in URLS:
                    error = await refusal(reader, url.format(port=watched.port))
                    codes[url] = error.code
                    assert SECRET not in str(error)
    assert {url: code for url, code in codes.items() if code != "image_forbidden"} == {}
    assert watched.called == []
    assert calls == []


async def test_what_is_not_the_listed_host_and_folder_reaches_nobody() -> None:
    codes = {}
    async with canary() as watched:
        listed = f"http://named.test:{watched.port}/photos/"
        async with fetching(listed, ZONE) as reader:
            with connections() as calls:
                for url in OF_ANOTHER_HOST:
                    codes[url] = (await refusal(reader, url.format(port=watched.port))).code
            assert calls == []
            assert watched.called == []
            # The canary sings: it would have been seen.
            with connections() as calls:
                assert await reader.fetch(ImageRef(uri=f"{listed}a")) == IMAGE
    assert {url: code for url, code in codes.items() if code != "image_forbidden"} == {}
    assert calls == [f"127.0.0.1:{watched.port}"]
    assert len(watched.called) == 1


async def test_a_redirect_is_held_to_the_same_rules() -> None:
    codes = {}
    zone = {**ZONE, "start.test": [["127.0.0.1"]]}
    async with canary() as watched, redirecting() as start:
        at = f"http://start.test:{start.port}/in/"
        sources = f"{at},http://*:{watched.port}/,https://*:{watched.port}/"
        async with fetching(sources, zone) as reader:
            with connections() as calls:
                for location in REDIRECTS:
                    to = location.format(port=watched.port, start=start.port)
                    uri = str(start.make_url("/in/hop").with_query(to=to)).replace(
                        f"http://127.0.0.1:{start.port}/in/", at
                    )
                    error = await refusal(reader, uri)
                    codes[location] = error.code
                    assert SECRET not in str(error)
        assert set(calls) == {f"127.0.0.1:{start.port}"}
    assert {url: code for url, code in codes.items() if code != "image_forbidden"} == {}
    assert watched.called == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_is_looked_at(status: int) -> None:
    zone: Zone = {"start.test": [["127.0.0.1"]]}
    async with canary() as watched, redirecting() as start:
        at = f"http://start.test:{start.port}/in/"
        async with fetching(f"{at},http://*:{watched.port}/", zone) as reader:
            uri = f"{at}hop?status={status}&to="
            assert await reader.fetch(ImageRef(uri=f"{uri}/in/image")) == IMAGE
            refused = await refusal(reader, f"{uri}http://127.0.0.1:{watched.port}/")
    assert isinstance(refused, ImageForbidden)
    assert watched.called == []


async def test_redirects_in_a_circle_end() -> None:
    zone: Zone = {"start.test": [["127.0.0.1"]]}
    async with redirecting() as start:
        at = f"http://start.test:{start.port}/in/"

        async with fetching(at, zone, max_redirects=4) as reader:
            with connections() as calls:
                refused = await refusal(reader, f"{at}hop?to=")
    assert isinstance(refused, ImageNotFound)
    assert len(calls) <= 5
