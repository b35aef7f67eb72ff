"""HTTP as bytes on a socket: what a client library would refuse to send, and what comes back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

_STATUS_LINE = re.compile(rb"HTTP/[01]\.[0-9] [0-9]{3} ")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back, to the last byte, and whether the connection was closed then."""

    received: bytes
    closed: bool

    @property
    def answers(self) -> int:
        return len(_STATUS_LINE.findall(self.received))

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        head = self.received.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(":") for line in head.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def json(self) -> Any:
        return orjson.loads(self.received.partition(b"\r\n\r\n")[2])

    @property
    def whole(self) -> bool:
        """Whether the first answer is there with all of its body."""
        _, end, body = self.received.partition(b"\r\n\r\n")
        return bool(end) and len(body) >= int(self.headers.get("content-length", 0))


async def exchange(
    address: tuple[str, int],
    pieces: Iterable[bytes],
    *,
    pause_s: float = 0,
    timeout_s: float = 10,
    until_closed: bool = True,
) -> Exchange:
    """Send pieces, one after another, and read until the connection is closed, or until there is
    an answer. Raises `TimeoutError`.
    """
    reader, writer = await asyncio.open_connection(*address)
    sending = asyncio.create_task(_send(writer, pieces, pause_s))
    received = b""
    try:
        async with asyncio.timeout(timeout_s):
            while until_closed or not Exchange(received, False).whole:
                try:
                    came = await reader.read(65536)
                except ConnectionError:
                    came = b""
                if not came:
                    return Exchange(received, True)
                received += came
            return Exchange(received, False)
    except TimeoutError:
        raise TimeoutError(f"after {timeout_s:g} s there is only {received[:300]!r}") from None
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause_s: float) -> None:
    with suppress(ConnectionError):  # it has heard enough
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
