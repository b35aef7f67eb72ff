"""`http(s)://`: no hop, no resolution and no body gets past the limits."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from schemas.errors import (
    FetchTimeout,
    ImageError,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnavailable,
    NotAnImage,
)
from schemas.requests import ImageRef
from stream.image_settings import ImageSettings
from stream.images import ImageReader
from stream.io.blobs import BlobSettings, BlobStore
from tests.dns_server import resolved
from tests.raw_server import raw_server

#: what begins as an image is read
JPEG = b"\xff\xd8\xff"
IMAGE = JPEG + b" and image bytes"
LIMIT = 100_000
Handler = Callable[[web.Request], Any]


class Names(AbstractResolver):
    """A name server of the test: each name has a list of addresses."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = {name.replace("_", "."): found for name, found in addresses.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.addresses:
            raise OSError(f"no such name: {host}")
        return resolved(host, port, self.addresses[host])

    async def close(self) -> None:
        pass


@asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[TestServer]:
    """A server on loopback; `handlers` by the first segment of the path."""
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_get(f"/{name}{{rest:.*}}", handler)
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield server


@asynccontextmanager
async def reading(
    sources: str, *, names: Names | None = None, **settings: Any
) -> AsyncIterator[ImageReader]:
    limits = {"max_image_bytes": LIMIT, "fetch_timeout_s": 2.0, **settings}
    blobs = BlobStore(BlobSettings(blob_store_url="unused"))
    image_settings = ImageSettings(image_sources=sources, **limits)
    async with ImageReader(image_settings, blobs, resolver=names) as reader:
        yield reader


async def fetch(uri: str, sources: str, **options: Any) -> bytes:
    async with reading(sources, **options) as reader:
        return await reader.fetch(ImageRef(uri=uri))


async def good(_: web.Request) -> web.Response:
    return web.Response(body=IMAGE)


def answering(status: int) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, body=b"no")

    return handler


def redirecting(location: str, status: int = 302) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": location})

    return handler


async def test_a_host_named_in_full_may_be_the_machine_itself() -> None:
    async with serving(good=good) as server:
        by_address = f"http://127.0.0.1:{server.port}/"
        assert await fetch(f"{by_address}good.jpg?token=1#x", by_address) == IMAGE
        by_name = f"http://intranet.example:{server.port}/"
        names = Names(intranet_example=["127.0.0.1"])
        assert await fetch(f"{by_name}good.jpg", by_name, names=names) == IMAGE


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1"],
)
@pytest.mark.parametrize("sources", ["http://*:{port}/", "http://*.example:{port}/"])
async def test_a_host_that_a_wildcard_matches_must_be_public(address: str, sources: str) -> None:
    async with serving(good=good) as server:
        names = Names(innocent_example=[address])
        with pytest.raises(ImageForbidden, match="resolves to an address"):
            await fetch(
                f"http://innocent.example:{server.port}/good",
                sources.format(port=server.port),
                names=names,
            )
        assert names.asked == ["innocent.example"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[64:ff9b::7f00:1]"]
)
async def test_an_address_in_the_url_is_judged_as_one_that_was_resolved(host: str) -> None:
    async with serving(good=good) as server:
        with pytest.raises(ImageForbidden, match="resolves to an address"):
            await fetch(f"http://{host}:{server.port}/good", f"http://*:{server.port}/")


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1", "127.0.0.1."])
async def test_old_ways_to_write_an_address_lead_nowhere(host: str) -> None:
    async with serving(good=good) as server:
        with pytest.raises((ImageForbidden, ImageUnavailable)):
            await fetch(f"http://{host}:{server.port}/good", f"http://*:{server.port}/")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "100.100.100.200", "224.0.0.1"])
async def test_metadata_and_link_local_addresses_are_for_no_host(address: str) -> None:
    names = Names(named_example=[address])
    with pytest.raises(ImageForbidden):
        await fetch("http://named.example/a", "http://named.example/", names=names)


async def test_all_forbidden_addresses_of_a_host_make_it_forbidden() -> None:
    names = Names(mixed_example=["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1"])
    with pytest.raises(ImageForbidden, match="resolves to an address"):
        await fetch("http://mixed.example/a", "http://*", names=names)


async def test_a_name_that_moves_between_requests_is_judged_anew() -> None:
    async def closing(_: web.Request) -> web.Response:
        response = web.Response(body=IMAGE)
        response.force_close()
        return response

    async with serving(good=closing) as server:
        names = Names(moving_example=["127.0.0.1"])
        uri = f"http://moving.example:{server.port}/good"
        async with reading(f"http://moving.example:{server.port}/", names=names) as reader:
            assert await reader.fetch(ImageRef(uri=uri)) == IMAGE
            names.addresses["moving.example"] = ["169.254.169.254"]
            for session in reader._web._sessions.values():
                session.connector.clear_dns_cache()  # type: ignore[union-attr]  # it is open
            with pytest.raises(ImageForbidden):
                await reader.fetch(ImageRef(uri=uri))


async def test_a_connection_to_a_named_host_is_not_used_for_a_wildcard() -> None:
    """The path that is named may have its private address; the same host elsewhere may not."""
    async with serving(open=good, shut=good) as server:
        at = f"http://local.example:{server.port}"
        names = Names(local_example=["127.0.0.1"])
        async with reading(f"{at}/open,http://*:{server.port}/", names=names) as reader:
            assert await reader.fetch(ImageRef(uri=f"{at}/open/a")) == IMAGE
            with pytest.raises(ImageForbidden):
                await reader.fetch(ImageRef(uri=f"{at}/shut/a"))
            assert await reader.fetch(ImageRef(uri=f"{at}/open/b")) == IMAGE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_within_what_is_allowed_are_followed(status: int) -> None:
    async with serving(good=good, old=redirecting("/good.jpg?x=1", status)) as server:
        at = f"http://127.0.0.1:{server.port}/"
        assert await fetch(f"{at}old", at) == IMAGE


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:{port}/in/good",
        "http://127.0.0.1:1/in/good",
        "//evil.example/in/good",
        "https://127.0.0.1:{port}/in/good",
        "http://user:secret@127.0.0.1:{port}/in/good",
        "http://private.example:{port}/in/good",
        "/out/good",
        "../out/good",
        "/in/../out/good",
        "/in/%2e%2e/out/good",
        "/in/..%2fout/good",
        "file:///etc/passwd",
        "s3://bucket/key",
        "data:image/png;base64,AAAA",
        "\\\\evil.example\\in",
        "http://[::1",
        "http://127.0.0.1:{port}:80/in",
        "http://\u00a0/",
    ],
)
async def test_a_redirect_is_held_to_the_list_as_the_first_address_is(location: str) -> None:
    async def away(request: web.Request) -> web.Response:
        where = location.format(port=request.url.port)
        return web.Response(status=302, headers={"Location": where})

    async with serving(**{"in": away, "out": good}) as server:
        at = f"http://127.0.0.1:{server.port}/in/"
        names = Names(private_example=["127.0.0.1"])
        with pytest.raises(ImageForbidden) as caught:
            await fetch(f"{at}a", f"{at},http://*.example:{server.port}/", names=names)
        assert "secret" not in str(caught.value)


async def test_redirects_end() -> None:
    seen = 0

    async def again(_: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        return web.Response(status=302, headers={"Location": f"/again{seen}"})

    async with serving(again=again) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(ImageNotFound, match="more than 3 times"):
            await fetch(f"{at}again", at, max_redirects=3)
    assert seen == 4


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, ImageNotFound),
        (206, ImageNotFound),
        (304, ImageNotFound),
        (400, ImageNotFound),
        (404, ImageNotFound),
        (410, ImageNotFound),
        (401, ImageForbidden),
        (403, ImageForbidden),
        (429, ImageUnavailable),
        (500, ImageUnavailable),
        (503, ImageUnavailable),
    ],
)
async def test_what_a_server_answers_says_whether_to_try_again(
    status: int, error: type[ImageError]
) -> None:
    async with serving(it=answering(status)) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(error, match=str(status)) as caught:
            await fetch(f"{at}it?token=secret", at)
        assert type(caught.value) is error
        assert "secret" not in str(caught.value)


async def test_a_server_that_is_away_may_come_back() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        at = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(ImageUnavailable) as caught:
            await fetch(f"{at}a?token=secret", at)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


async def test_a_name_that_does_not_resolve_may_come_back() -> None:
    with pytest.raises(ImageUnavailable):
        await fetch("http://nowhere.example/a", "http://nowhere.example/", names=Names())


async def test_names_that_do_not_resolve_in_time_hold_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    honest = socket.getaddrinfo
    slow = 40

    def ask(host: str, *rest: Any, **options: Any) -> Any:
        if host.endswith(".test"):
            released.wait(20)
            raise OSError("no such name")
        return honest(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    async with serving(good=good) as server:
        at = f"http://localhost:{server.port}/"
        async with reading(f"{at},http://*.test/") as reader:
            refs = [ImageRef(uri=f"http://{number}.test/") for number in range(slow)]
            waiting = [asyncio.create_task(reader.fetch(ref)) for ref in refs]
            try:
                await asyncio.sleep(0)
                assert await reader.fetch(ImageRef(uri=f"{at}good")) == IMAGE
                assert not any(task.done() for task in waiting)
            finally:
                released.set()
            refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, ImageUnavailable) for error in refused)


async def test_an_announced_length_above_the_limit_is_not_read() -> None:
    written = 0

    async def large(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers={"Content-Length": str(10**9)})
        await response.prepare(request)
        while written < 10**9:
            await response.write(JPEG + bytes(65533))
            written += 65536
        return response

    async with serving(large=large) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(ImageTooLarge, match="1000000000 bytes"):
            await fetch(f"{at}large", at)
    assert written < 10**8


async def test_a_body_of_unknown_length_ends_at_the_limit() -> None:
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(JPEG + bytes(65533))
            written += 65536

    async with serving(endless=endless) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(ImageTooLarge):
            await fetch(f"{at}endless", at)
    assert written < 10**8


async def test_a_body_exactly_at_the_limit_is_read() -> None:
    async def exact(_: web.Request) -> web.Response:
        return web.Response(body=JPEG + bytes(LIMIT - 3))

    async with serving(exact=exact) as server:
        at = f"http://127.0.0.1:{server.port}/"
        assert len(await fetch(f"{at}exact", at)) == LIMIT


async def test_a_body_that_unfolds_is_not_unfolded() -> None:
    async def packed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        body = gzip.compress(bytes(50 * LIMIT))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with serving(packed=packed) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(NotAnImage, match="compressed"):
            await fetch(f"{at}packed", at)


@pytest.mark.parametrize("said", ["image/jpeg", "text/html"])
async def test_a_body_that_begins_as_no_image_is_left(said: str) -> None:
    """Whatever the server calls it: not one more byte of it is waited for."""

    async def page(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": said})
        await response.prepare(request)
        await response.write(b"<html><body>404 and so on</body>")
        await asyncio.Event().wait()
        return response

    async with serving(page=page) as server:
        at = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(NotAnImage, match="no JPEG"):
            await fetch(f"{at}page?token=secret", at)


async def test_an_image_is_read_whatever_its_server_calls_it() -> None:
    async def mistaken(_: web.Request) -> web.Response:
        return web.Response(body=IMAGE, content_type="text/plain")

    async with serving(mistaken=mistaken) as server:
        at = f"http://127.0.0.1:{server.port}/"
        assert await fetch(f"{at}mistaken", at) == IMAGE


async def test_a_body_that_breaks_off_is_no_image_yet() -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with raw_server(short) as at:
        with pytest.raises(ImageUnavailable):
            await fetch(f"{at}/a", at)


@pytest.mark.parametrize("slow_with", ["header", "body"])
async def test_a_server_that_dribbles_is_left_when_its_time_is_over(slow_with: str) -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if slow_with == "body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + JPEG)
        while True:
            writer.write(b"x" if slow_with == "body" else b"")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(dribble) as at:
        with pytest.raises(FetchTimeout, match=r"within 0\.2 s") as caught:
            await fetch(f"{at}/a?token=secret", at, fetch_timeout_s=0.2)
        assert "secret" not in str(caught.value)


async def test_cookies_and_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    cookies: list[str | None] = []

    async def cookie(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(body=IMAGE, headers={"Set-Cookie": "a=b; Path=/"})

    async with serving(cookie=cookie) as server:
        at = f"http://127.0.0.1:{server.port}/"
        async with reading(at) as reader:
            for _ in range(2):
                assert await reader.fetch(ImageRef(uri=f"{at}cookie")) == IMAGE
    assert cookies == [None, None]


async def test_a_cancelled_fetch_ends_as_cancelled() -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(never=never) as server:
        at = f"http://127.0.0.1:{server.port}/"
        async with reading(at) as reader:
            task = asyncio.create_task(reader.fetch(ImageRef(uri=f"{at}never")))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
