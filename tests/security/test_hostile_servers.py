"""A server that means harm takes its fetch's time at most, and of memory what an image may have."""

from __future__ import annotations

import asyncio
import gzip
import resource
from pathlib import Path

import pytest

from schemas.errors import FetchTimeout, ImageError, ImageTooLarge, ImageUnavailable, NotAnImage
from schemas.requests import ImageRef
from tests.raw_server import raw_server
from tests.security.canary import fetching, refusal

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
JPEG = b"\xff\xd8\xff"
PIECE_BYTES = 64 * 1024
TIME_S = 1.0
IMAGE_BYTES = 1024 * 1024
#: of what a server sends without end, all that the process may hold on to
GROWTH_BYTES = 64 * 1024 * 1024

#: what it says once, what it says ever after, and how the fetch ends
ENDLESS: dict[str, tuple[bytes, bytes, type[ImageError]]] = {
    "status line": (b"HTTP/1.1 200 ", b"a" * PIECE_BYTES, ImageUnavailable),
    "one header": (OK + b"X: ", b"a" * PIECE_BYTES, ImageUnavailable),
    "a header's name": (OK, b"a" * PIECE_BYTES, ImageUnavailable),
    "headers": (OK, b"X-A: b\r\n" * 8000, ImageUnavailable),
    "cookies": (OK, b"Set-Cookie: a=b\r\n" * 4000, ImageUnavailable),
    "a location": (b"HTTP/1.1 302 Found\r\nLocation: http://", b"a" * 65536, ImageUnavailable),
    "answers that it will answer": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, FetchTimeout),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2000, FetchTimeout),
    "a chunk's size": (CHUNKED, b"0" * PIECE_BYTES, FetchTimeout),
    "a chunk's extension": (CHUNKED + b"1;", b"a" * PIECE_BYTES, FetchTimeout),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: b\r\n" * 8000, ImageUnavailable),
    "no HTTP": (b"", b"SSH-2.0-OpenSSH_9.9\r\n" * 3000, ImageUnavailable),
    "an image": (OK + b"\r\n" + JPEG, bytes(PIECE_BYTES), ImageTooLarge),
    "an image in chunks": (
        CHUNKED + b"3\r\n" + JPEG + b"\r\n",
        b"10000\r\n" + bytes(PIECE_BYTES) + b"\r\n",
        ImageTooLarge,
    ),
    "a page": (OK + b"Content-Type: image/jpeg\r\n\r\n", b"<html>" * 10_000, NotAnImage),
    "something packed": (
        OK + b"Content-Encoding: gzip\r\n\r\n",
        gzip.compress(bytes(10_000_000)),
        NotAnImage,
    ),
    "something packed twice": (
        OK + b"Content-Encoding: gzip, gzip\r\n\r\n",
        gzip.compress(gzip.compress(bytes(10_000_000))),
        NotAnImage,
    ),
    "something packed on its way": (
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        gzip.compress(bytes(10_000_000)),
        ImageError,
    ),
}

#: said once, then one byte after the other, or nothing
SLOW: dict[str, tuple[bytes, bytes]] = {
    "silence": (b"", b""),
    "silence after the headers": (OK + b"Content-Length: 1000\r\n\r\n", b""),
    "a slow status": (b"HTTP/1.1 200 ", b"O"),
    "slow headers": (OK + b"X: ", b"a"),
    "a slow image": (OK + b"Content-Length: 1000\r\n\r\n" + JPEG + bytes(20), b"a"),
    "slow chunks": (CHUNKED + b"3\r\n" + JPEG + b"\r\n", b"1\r\na\r\n"),
    "slow redirects": (b"HTTP/1.1 302 Found\r\nLocation: /a\r\nX: ", b"a"),
}


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_a_server_says_without_end_is_not_listened_to_without_end(name: str) -> None:
    head, piece, expected = ENDLESS[name]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    async with (
        raw_server(talk) as at,
        fetching(at, {}, fetch_timeout_s=TIME_S, max_image_bytes=IMAGE_BYTES) as reader,
    ):
        before = _resident_bytes()
        refused = await refusal(reader, f"{at}/a")
        assert isinstance(refused, expected)
        assert _resident_bytes() - before < GROWTH_BYTES


@pytest.mark.parametrize("name", SLOW)
async def test_a_slow_server_is_left_when_its_time_is_over(name: str) -> None:
    head, piece = SLOW[name]

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(dribble) as at, fetching(at, {}, fetch_timeout_s=0.2) as reader:
        assert isinstance(await refusal(reader, f"{at}/a"), FetchTimeout)


async def test_a_body_longer_than_it_said_is_cut_and_never_taken_for_the_next_answer() -> None:
    """One connection, and an answer that nobody asked for behind the first."""
    other = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + JPEG + b"forged"
    answers = 0

    async def smuggle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        while await reader.readuntil(b"\r\n\r\n"):
            answers += 1
            body = JPEG + b"honest %d" % answers
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body + other)
            await writer.drain()

    async with raw_server(smuggle) as at, fetching(at, {}) as reader:
        for number in (1, 2, 3):
            got = await reader.fetch(ImageRef(uri=f"{at}/a"))
            assert got == JPEG + b"honest %d" % number
