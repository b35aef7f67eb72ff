"""One body on its way in: every byte counted before it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from http_edge.errors import BodyTooLarge
from http_edge.images import suffix_of, too_large
from http_edge.limits import BodyShare
from http_edge.metrics import EdgeMetrics
from http_edge.receptions import Reception

#: bytes of a request's body that were read
RECEIVED: Final = web.RequestKey("received", int)

#: so many tell what is no image before the rest of it has come
_HEAD_BYTES = 32


class Intake:
    """Reads a body, or parts of it, within limits."""

    def __init__(
        self, request: web.Request, reception: Reception, share: BodyShare, metrics: EdgeMetrics
    ) -> None:
        self._request = request
        self._reception = reception
        self._share = share
        self._metrics = metrics

    def check_length(self, max_bytes: int, *, image: bool = False) -> None:
        """What is too large by its own word is not read at all."""
        if (self._request.content_length or 0) > max_bytes:
            raise _too_large(max_bytes, image)

    async def whole(self, max_bytes: int, *, image: bool = False) -> bytes:
        """The body. Raises `BodyTooLarge`, or of an image `ImageTooLarge`, `NotAnImage`."""
        self.check_length(max_bytes, image=image)
        return await self.collect(self._request.content.iter_any(), max_bytes, image=image)

    async def collect(
        self, chunks: AsyncIterator[bytes], max_bytes: int, *, image: bool = False
    ) -> bytes:
        """As `whole`, of a part of the body."""
        data = bytearray()
        looked_at = not image
        async for chunk in chunks:
            self._count(len(chunk))
            if len(data) + len(chunk) > max_bytes:
                raise _too_large(max_bytes, image)
            self._share.add(len(chunk))
            data += chunk
            if not looked_at and len(data) >= _HEAD_BYTES:
                suffix_of(bytes(data[:_HEAD_BYTES]))
                looked_at = True
        return bytes(data)

    def _count(self, size_bytes: int) -> None:
        self._reception.received_bytes += size_bytes
        self._metrics.uploaded(size_bytes)
        self._request[RECEIVED] = self._request.get(RECEIVED, 0) + size_bytes


def _too_large(max_bytes: int, image: bool) -> Exception:
    if image:
        return too_large(max_bytes)
    return BodyTooLarge(f"The body is larger than {max_bytes} bytes")
