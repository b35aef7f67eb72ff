"""A name that leads elsewhere when it is asked again: what is judged is what is connected to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.errors import ImageForbidden
from schemas.requests import ImageRef
from stream.io import addresses
from stream.io import web as fetcher
from tests.dns_server import Zone, name_server
from tests.security.canary import IMAGE, canary, fetching, reading, refusal

#: loopback too, and nobody's: taken for a public address
PUBLIC = "127.0.0.2"


@contextmanager
def _taken_for_public(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test can listen on a public address: one of loopback stands for it."""

    def may_connect(address: str, *, public_only: bool) -> bool:
        return address == PUBLIC or addresses.may_connect(address, public_only=public_only)

    with monkeypatch.context() as patched:
        patched.setattr(fetcher, "may_connect", may_connect)
        yield


@asynccontextmanager
async def _public_server() -> AsyncIterator[TestServer]:
    """Every path is the image, by a connection of its own."""

    async def image(_: web.Request) -> web.Response:
        response = web.Response(body=IMAGE)
        response.force_close()
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", image)
    server = TestServer(app, host=PUBLIC)
    async with server:
        yield server


async def test_a_name_that_is_public_first_and_loopback_then_reaches_the_public_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the name server changes its answer between two questions."""
    zone: Zone = {"moving.test": [[PUBLIC], ["127.0.0.1"]]}
    with _taken_for_public(monkeypatch):
        async with (
            _public_server() as public,
            canary(public.port or 0) as watched,
            name_server(zone) as names,
        ):
            uri = f"http://moving.test:{public.port}/a"
            async with reading(f"http://*:{public.port}/", names) as reader:
                assert await reader.fetch(ImageRef(uri=uri)) == IMAGE
                for session in reader._web._sessions.values():
                    session.connector.clear_dns_cache()  # type: ignore[union-attr]  # it is open
                refused = await refusal(reader, uri)
    assert names.asked == ["moving.test"] * 2
    assert isinstance(refused, ImageForbidden)
    assert watched.called == []


async def test_the_address_that_is_judged_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks once for the check and again for the connection is led to loopback."""
    zone: Zone = {"twice.test": [[PUBLIC], ["127.0.0.1"]]}
    with _taken_for_public(monkeypatch):
        async with (
            _public_server() as public,
            canary(public.port or 0) as watched,
            name_server(zone) as names,
            reading(f"http://*:{public.port}/", names) as reader,
        ):
            uri = f"http://twice.test:{public.port}/a"
            assert await reader.fetch(ImageRef(uri=uri)) == IMAGE
    assert names.asked == ["twice.test"]
    assert watched.called == []


@pytest.mark.parametrize("private_first", [True, False])
async def test_of_several_addresses_of_a_name_only_those_allowed_are_called(
    monkeypatch: pytest.MonkeyPatch, private_first: bool
) -> None:
    found = ["127.0.0.1", PUBLIC] if private_first else [PUBLIC, "127.0.0.1"]
    zone: Zone = {"mixed.test": [[*found, "::1"]], "dead.test": [["127.0.0.1", "127.0.0.3"]]}
    with _taken_for_public(monkeypatch):
        async with (
            _public_server() as public,
            canary(public.port or 0) as watched,
            fetching(f"http://*:{public.port}/", zone) as reader,
        ):
            uri = f"http://mixed.test:{public.port}/a"
            assert await reader.fetch(ImageRef(uri=uri)) == IMAGE
            dead = await refusal(reader, f"http://dead.test:{public.port}/a")
    assert isinstance(dead, ImageForbidden)
    assert watched.called == []
