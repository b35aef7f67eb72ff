"""Who was called: a server that nobody is to call, and the process's own list of connections."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.errors import ImageError
from schemas.requests import ImageRef
from stream.image_settings import ImageSettings
from stream.images import ImageReader
from stream.io.blobs import BlobSettings, BlobStore
from tests.dns_server import DnsResolver, Zone, name_server

IMAGE = b"\xff\xd8\xff and what follows it"


class _Watch:
    """Every TCP connection that the process asks for while `calls` is a list."""

    calls: list[str] | None = None

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.calls is not None and event == "socket.connect":
            connecting, address = args
            if connecting.type == socket.SOCK_STREAM and isinstance(address, tuple):
                self.calls.append(f"{address[0]}:{address[1]}")


_WATCH = _Watch()
sys.addaudithook(_WATCH)


@contextmanager
def connections() -> Iterator[list[str]]:
    """Whom the process called, as `address:port`, while the block lasted."""
    calls: list[str] = []
    _WATCH.calls = calls
    try:
        yield calls
    finally:
        _WATCH.calls = None


@dataclass
class Canary:
    """Listens on loopback, IPv4 and IPv6, for whom nobody is to call."""

    port: int
    called: list[str] = field(default_factory=list)


@asynccontextmanager
async def canary(port: int = 0) -> AsyncIterator[Canary]:
    """`port`: another server's, on another address."""
    watching = Canary(port)

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watching.called.append(str(writer.get_extra_info("sockname")))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(IMAGE) + IMAGE)
        writer.close()

    first = await asyncio.start_server(called, "127.0.0.1", port)
    watching.port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(called, "::1", watching.port)
    async with first, second:
        yield watching


@asynccontextmanager
async def fetching(sources: str, zone: Zone, **settings: Any) -> AsyncIterator[ImageReader]:
    """The workers' own fetcher, with names of the zone."""
    async with name_server(zone) as names, reading(sources, names, **settings) as reader:
        yield reader


@asynccontextmanager
async def reading(sources: str, names: DnsResolver, **settings: Any) -> AsyncIterator[ImageReader]:
    """The same, by a resolver that the test keeps."""
    blobs = BlobStore(BlobSettings(blob_store_url="unused"))
    limits = {"fetch_timeout_s": 5.0, **settings}
    image_settings = ImageSettings(image_sources=sources, **limits)
    async with ImageReader(image_settings, blobs, resolver=names) as reader:
        yield reader


async def refusal(reader: ImageReader, uri: str) -> ImageError:
    """Why an address was not read."""
    with pytest.raises(ImageError) as caught:
        await reader.fetch(ImageRef(uri=uri))
    return caught.value
