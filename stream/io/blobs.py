"""The blob store: where an image waits that is too large to travel in its event (a claim check).

Names are random, made here, and the only ones that are read again: a URI is the store's whatever
`IMAGE_SOURCES` says if and only if it is one that `put` could have made.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore
from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import ImageForbidden, ImageUnavailable
from stream.io.files import FileReader
from stream.io.objects import open_bucket, read_object
from stream.io.sources import public_uri, read_file_uri, read_object_uri

Lane = Literal["requests", "images"]

_NAME = re.compile(rf"(?:{'|'.join(get_args(Lane))})/[0-9a-f]{{32}}(?:\.[a-z0-9]{{1,5}})?")
_SUFFIX = re.compile(r"(?:\.[a-z0-9]{1,5})?")
_NO_ROOM = re.compile(r"os error (?:28|122)\b|status code: 507|StorageFull")
_LIST_CHUNK = 1000


class BlobStoreError(OSError):
    """The blob store did not take it."""


class BlobStoreFull(BlobStoreError):
    """No room: neither now nor at the next try."""


class BlobStoreUnavailable(BlobStoreError):
    """It cannot be reached, or not be written to."""


class BlobSettings(BaseSettings):
    """Where blobs lie and for how long."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    #: a folder, or `file://`, `s3://bucket/prefix`, `gs://`, `az://`
    blob_store_url: str = "./blobs"
    #: age at which blobs of the interactive lane are removed
    blob_ttl_s: float = 3600.0
    #: age at which those are removed that `facestream publish` stored
    blob_publish_ttl_s: float = 7 * 24 * 3600.0
    blob_timeout_s: float = 10.0

    @field_validator("blob_store_url")
    @classmethod
    def _check_blob_store_url(cls, url: str) -> str:
        try:
            if not _is_folder(url):
                read_object_uri(url, as_prefix=True)
            elif "://" in url:
                read_file_uri(url)
        except ImageForbidden as error:
            raise ValueError(str(error)) from None
        return url


class BlobStore:
    """Reads and writes blobs. An async context manager; the folder appears with the first blob."""

    def __init__(self, settings: BlobSettings) -> None:
        self._settings = settings
        url = settings.blob_store_url
        self._files = FileReader("blob-file")
        self._folder: Path | None = None
        if _is_folder(url):
            self._folder = Path(read_file_uri(url) if "://" in url else url).expanduser().resolve()
            self._base = self._folder.as_uri() + "/"
        else:
            where = read_object_uri(url, as_prefix=True)
            self._base = (
                "/".join(filter(None, (f"{where.scheme}:/", where.bucket, where.key))) + "/"
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__dict__.pop("_store", None)
        self._files.close()

    def owns(self, uri: str) -> bool:
        """Whether `put` could have made this URI."""
        return uri.startswith(self._base) and bool(_NAME.fullmatch(uri[len(self._base) :]))

    async def put(self, data: bytes, *, lane: Lane, suffix: str = "") -> str:
        """Stores an image and returns its URI. `suffix`: empty or like `.jpg`.

        Raises `BlobStoreFull`, `BlobStoreUnavailable`.
        """
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError(f"{suffix!r} is no suffix like .jpg")
        name = f"{lane}/{secrets.token_hex(16)}{suffix}"
        try:
            async with asyncio.timeout(self._settings.blob_timeout_s):
                await obstore.put_async(self._store, name, data, use_multipart=False)
        except (BaseError, OSError, ValueError) as error:
            shown = public_uri(self._base)
            if _NO_ROOM.search(str(error)):
                raise BlobStoreFull(f"no room in the blob store {shown}") from None
            raise BlobStoreUnavailable(f"the blob store {shown} did not take it") from None
        return self._base + name

    async def get(self, uri: str, max_bytes: int) -> bytes:
        """A blob's bytes. Raises `ImageForbidden` for a URI that is not the store's, and
        `ImageNotFound`, `ImageTooLarge`, `ImageUnavailable`.
        """
        if not self.owns(uri):
            raise ImageForbidden(f"{public_uri(uri)} is no blob of this store")
        name, shown = uri[len(self._base) :], public_uri(uri)
        try:
            store = self._store
        except (BaseError, OSError, ValueError):
            raise ImageUnavailable(f"the blob store {public_uri(self._base)} is away") from None
        if self._folder is not None:  # in half of obstore's time, which goes there and back twice
            path, folder = str(self._folder / name), str(self._folder)
            return await self._files.read(path, [folder], shown=shown, max_bytes=max_bytes)
        return await read_object(store, name, shown=shown, max_bytes=max_bytes)

    async def sweep(self, now: datetime) -> int:
        """Removes what is older than its lane allows; returns how many. `now`: with a time zone.

        May run in several processes at once. Raises `BlobStoreUnavailable`.
        """
        if self._folder is not None and not self._folder.exists():
            return 0
        ages: dict[Lane, float] = {
            "requests": self._settings.blob_ttl_s,
            "images": self._settings.blob_publish_ttl_s,
        }
        removed = 0
        try:
            for lane, ttl_s in ages.items():
                removed += await self._sweep_lane(lane, now - timedelta(seconds=ttl_s))
        except (BaseError, OSError):
            raise BlobStoreUnavailable(
                f"the blob store {public_uri(self._base)} cannot be swept"
            ) from None
        return removed

    async def _sweep_lane(self, lane: Lane, before: datetime) -> int:
        removed = 0
        async for batch in obstore.list(self._store, lane, chunk_size=_LIST_CHUNK):
            old = [
                meta["path"]
                for meta in batch
                if meta["last_modified"] < before and _NAME.fullmatch(meta["path"])
            ]
            removed += await self._remove(old)
        if self._folder is not None:
            await asyncio.to_thread(_remove_half_written, self._folder / lane, before)
        return removed

    async def _remove(self, names: Sequence[str]) -> int:
        if not names:
            return 0
        try:
            await obstore.delete_async(self._store, names)
        except FileNotFoundError:
            # Another process sweeps the same folder: the rest is removed one by one.
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, name)
        return len(names)

    @cached_property
    def _store(self) -> ObjectStore:
        if self._folder is not None:
            return LocalStore(self._folder, mkdir=True)
        where = read_object_uri(self._settings.blob_store_url, as_prefix=True)
        return open_bucket(
            where.scheme,
            where.bucket,
            prefix=where.key,
            timeout_s=self._settings.blob_timeout_s,
        )


def _is_folder(url: str) -> bool:
    return "://" not in url or url.lower().startswith("file://")


def _remove_half_written(folder: Path, before: datetime) -> None:
    """A process that died while writing leaves `name#1`, which listings do not show."""
    for path in folder.glob("*#*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
