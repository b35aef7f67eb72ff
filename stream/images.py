"""Reference → bytes → pixels: every limit and every refusal on that way.

`ImageReader.fetch` gets the bytes from wherever the reference says, if `IMAGE_SOURCES` allows it;
`check_sha256` names them; `open_photograph` turns them into pixels, `decode` into all of them.
`stream/io/` holds a module for each kind of source, `stream/decoding.py` the formats.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp.abc import AbstractResolver
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from schemas.errors import (
    FetchTimeout,
    HashMismatch,
    ImageForbidden,
    ImageTooLarge,
    ImageUnavailable,
)
from schemas.requests import ImageRef
from stream.decoding import decode, open_photograph
from stream.image_settings import ImageSettings
from stream.io.blobs import BlobStore
from stream.io.files import FileReader
from stream.io.objects import open_bucket, read_object
from stream.io.sources import (
    BUCKET_SCHEMES,
    WEB_SCHEMES,
    Bucket,
    Sources,
    public_uri,
    read_file_uri,
    read_object_uri,
    read_web_uri,
)
from stream.io.web import WebClient, WebLimits

__all__ = [
    "ImageReader",
    "check_sha256",
    "decode",
    "open_photograph",
    "public_uri",
]


class ImageReader:
    """Fetches images. An async context manager; safe for any number of fetches at once."""

    def __init__(
        self,
        settings: ImageSettings,
        blobs: BlobStore,
        *,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._sources = Sources.parse(settings.image_sources)
        self._buckets: dict[tuple[Bucket, str], ObjectStore] = {}
        self._stack = AsyncExitStack()
        limits = WebLimits(
            max_bytes=settings.max_image_bytes,
            connect_timeout_s=settings.fetch_connect_timeout_s,
            max_redirects=settings.max_redirects,
        )
        self._web = WebClient(self._sources, limits, resolver=resolver)
        self._files = FileReader("image-file")

    async def __aenter__(self) -> Self:
        self._stack.callback(self._files.close)
        await self._stack.enter_async_context(self._web)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def origin(self, ref: ImageRef) -> str:
        """What its fetching competes for: `inline`, `blob`, `file`, `s3://bucket`,
        `https://host:port`; `forbidden` for what is refused without asking anybody.
        """
        if ref.uri is None:
            return "inline"
        if self._blobs.owns(ref.uri):
            return "blob"
        scheme = _scheme(ref.uri)
        try:
            if scheme in WEB_SCHEMES:
                url = read_web_uri(ref.uri)
                return f"{url.scheme}://{url.host_subcomponent}:{url.port}"
            if scheme in BUCKET_SCHEMES:
                where = read_object_uri(ref.uri)
                return f"{where.scheme}://{where.bucket}"
        except ImageForbidden:
            return "forbidden"
        return "file" if scheme == "file" else "forbidden"

    async def fetch(self, ref: ImageRef) -> bytes:
        """The image's bytes, at most `max_image_bytes`, within `fetch_timeout_s`.

        Raises a leaf of `ImageError`: `ImageForbidden`, `ImageNotFound`, `ImageTooLarge`,
        `NotAnImage`, and what may pass, `ImageUnavailable` and `FetchTimeout`.
        """
        if ref.uri is None:
            return self._inline(ref)
        try:
            async with asyncio.timeout(self._settings.fetch_timeout_s):
                return await self._fetch_uri(ref.uri)
        except TimeoutError:
            raise FetchTimeout(
                f"{public_uri(ref.uri)} was not read within {self._settings.fetch_timeout_s:g} s"
            ) from None

    def _inline(self, ref: ImageRef) -> bytes:
        data = ref.decode_data()
        if len(data) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"the image has {len(data)} bytes; the limit is {self._settings.max_image_bytes}"
            )
        return data

    async def _fetch_uri(self, uri: str) -> bytes:
        max_bytes = self._settings.max_image_bytes
        if self._blobs.owns(uri):
            return await self._blobs.get(uri, max_bytes)
        scheme = _scheme(uri)
        if scheme in WEB_SCHEMES:
            return await self._web.read(uri)
        if scheme == "file":
            return await self._files.read(
                read_file_uri(uri),
                self._sources.folders,
                shown=public_uri(uri),
                max_bytes=max_bytes,
            )
        where = self._sources.object_address(uri)
        store = self._bucket(where.scheme, where.bucket, uri)
        return await read_object(store, where.key, shown=public_uri(uri), max_bytes=max_bytes)

    def _bucket(self, scheme: Bucket, bucket: str, uri: str) -> ObjectStore:
        """Opened once: the allow-list bounds how many there are."""
        if (scheme, bucket) not in self._buckets:
            try:
                self._buckets[scheme, bucket] = open_bucket(
                    scheme,
                    bucket,
                    timeout_s=self._settings.fetch_timeout_s,
                )
            except (BaseError, ValueError):
                raise ImageUnavailable(
                    f"the store of {public_uri(uri)} is not configured in the worker's environment"
                ) from None
        return self._buckets[scheme, bucket]


def check_sha256(data: bytes, ref: ImageRef) -> str:
    """The bytes' SHA-256 in hex. Raises `HashMismatch` where the reference names another."""
    digest = hashlib.sha256(data).hexdigest()
    if ref.sha256 is not None and not hmac.compare_digest(digest, ref.sha256):
        raise HashMismatch(f"the image's sha256 is {digest}, not {ref.sha256}")
    return digest


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].lower()
