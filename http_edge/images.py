"""An image as it came → checked bytes → the reference that travels in its event."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final

from http_edge.errors import EmptyImage, NotBase64
from http_edge.settings import EdgeSettings
from schemas.errors import ImageTooLarge, NotAnImage
from schemas.requests import ImageRef
from stream.io.blobs import BlobStore
from stream.io.formats import Format, format_of
from stream.io.sources import read_web_uri

_WHITESPACE = b" \t\r\n"
#: base64 characters that are decoded at a time: half a millisecond of the event loop
_SLICE_CHARS: Final = 256 * 1024
_SUFFIXES: dict[Format, str] = {"jpeg": ".jpg"}  # the others are named as their formats are


def suffix_of(data: bytes) -> str:
    """`.jpg`, `.png`, `.webp`, `.gif` or `.bmp`, by the first bytes.

    Raises `EmptyImage`, `NotAnImage`. That the rest is an image too is found out by the worker.
    """
    if not data:
        raise EmptyImage("The image is empty")
    kind = format_of(data)
    if kind is None:
        raise NotAnImage("The bytes are no JPEG, PNG, WebP, GIF or BMP image")
    return _SUFFIXES.get(kind, f".{kind}")


async def decode_base64(text: bytes, max_bytes: int) -> bytes:
    """base64, with or without a `data:` prefix, → at most max_bytes.

    Line breaks within are passed over, and padding that was left out is forgiven. Other tasks run
    in between. Raises `NotBase64`, `ImageTooLarge`.
    """
    if text[:5].lower() == b"data:":
        head, _, text = text.partition(b",")
        if not head[-7:].lower() == b";base64":
            raise NotBase64("The data URL is not of the kind data:image/…;base64,…")
    if any(space in text for space in (b" ", b"\n", b"\r", b"\t")):
        text = text.translate(None, _WHITESPACE)
    text = text.rstrip(b"=")
    if b"=" in text:
        raise NotBase64("The image is not base64")
    if len(text) * 3 // 4 > max_bytes:
        raise too_large(max_bytes)
    pieces = []
    for at in range(0, len(text), _SLICE_CHARS):
        piece = text[at : at + _SLICE_CHARS]
        try:
            pieces.append(binascii.a2b_base64(piece + b"=" * (-len(piece) % 4), strict_mode=True))
        except binascii.Error:
            raise NotBase64("The image is not base64") from None
        await asyncio.sleep(0)
    return b"".join(pieces)


def too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"The image is larger than {max_bytes} bytes")


def reference_to(url: str) -> ImageRef:
    """An address that a caller gave. Raises `ImageForbidden` for one that is not plain http(s):
    a caller must not read with the workers' credentials. Which hosts, the workers decide.
    """
    read_web_uri(url)
    return ImageRef(uri=url)


class Claims:
    """Checked bytes → what travels: small images inline, large ones through the blob store."""

    def __init__(self, settings: EdgeSettings, blobs: BlobStore) -> None:
        self._inline_limit_bytes = settings.inline_limit_bytes
        self._blobs = blobs

    async def check_in(self, data: bytes) -> ImageRef:
        """Raises `EmptyImage`, `NotAnImage`, `BlobStoreError`."""
        suffix = suffix_of(data)
        if len(data) <= self._inline_limit_bytes:
            return ImageRef(data=base64.b64encode(data).decode())
        return ImageRef(uri=await self._blobs.put(data, lane="requests", suffix=suffix))
