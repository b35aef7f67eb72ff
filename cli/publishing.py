"""Photographs → requests on the bulk lane, and their results back."""

from __future__ import annotations

import asyncio
import base64
import re
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from cli.following import Follower, Record
from cli.photographs import SUFFIXES, Photograph
from schemas import wire
from schemas.requests import ImageRef, Request
from schemas.results import Result
from schemas.topics import Operation
from stream.io.blobs import BlobSettings, BlobStore, BlobStoreError
from stream.io.kafka import KafkaSettings
from stream.io.producer import Producer

SOURCE = "/facestream/publish"
#: of files that are read, stored and published at once
_PLACES = 8
_READ_AT_ONCE = 100
_READ_TIMEOUT_S = 0.2
_PLACEHOLDER = re.compile(r"\{(?:name|file|folder|id)\}")


class PublishSettings(KafkaSettings, BlobSettings):
    """What `publish` is told by the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    inline_limit_bytes: int = Field(default=64 * 1024, ge=0)
    max_image_bytes: int = Field(default=10 * 1024 * 1024, gt=0)


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be done with each photograph."""

    operation: Operation
    max_faces: int = 0
    #: `{name}`, `{file}`, `{folder}` and `{id}` are filled in; None: the request's id
    key: str | None = None
    by_reference: bool = False


class View(Protocol):
    """Who watches."""

    def published(self, photograph: Photograph) -> None: ...

    def refused(self, photograph: Photograph, reason: str) -> None:
        """It cannot be published: the file cannot be read, or is too large."""

    def settled(self, name: str, result: Result) -> None: ...


class NoResults(Exception):
    """Nothing was settled for so long that nobody seems to be at work."""


class Outstanding:
    """Requests without a result yet: a bounded number of them, by id."""

    def __init__(self, limit: int) -> None:
        self._names: dict[str, str] = {}
        self._places = asyncio.Semaphore(limit)
        self._moved_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._names)

    async def add(self, request_id: str, name: str) -> None:
        await self._places.acquire()
        self._names[request_id] = name
        self._moved_at = time.monotonic()

    def settle(self, request_id: str) -> str | None:
        """The photograph's name; None for what is not ours, or was settled before."""
        name = self._names.pop(request_id, None)
        if name is not None:
            self._places.release()
            self._moved_at = time.monotonic()
        return name

    @property
    def still_s(self) -> float:
        """Seconds since something was added or settled; 0 while nothing is outstanding."""
        return time.monotonic() - self._moved_at if self._names else 0.0


async def publish(
    settings: PublishSettings, order: Order, photographs: Iterator[Photograph], view: View
) -> None:
    """Publish all of them, each confirmed by the broker.

    Raises `SendFailed`, `BlobStoreError`.
    """
    async with Producer(settings.librdkafka(log_level=0)) as producer, BlobStore(settings) as blobs:
        await _Publication(settings, order, producer, blobs, view, None).run(photographs)


async def publish_and_follow(
    settings: PublishSettings,
    order: Order,
    photographs: Iterator[Photograph],
    view: View,
    follower: Follower,
    *,
    most_outstanding: int,
    timeout_s: float,
    to_the_end: bool,
) -> None:
    """Publish, never more than `most_outstanding` without a result; `follower` reads those.

    `to_the_end`: return when all are settled, else when all are published. Raises `NoResults`
    when something is outstanding and nothing moves for `timeout_s`, and as `publish`.
    """
    outstanding = Outstanding(most_outstanding)
    published = asyncio.Event()

    async def follow() -> None:
        while not (published.is_set() and not (to_the_end and len(outstanding))):
            for record in await asyncio.to_thread(follower.read, _READ_AT_ONCE, _READ_TIMEOUT_S):
                _settle(record, outstanding, view)
            if outstanding.still_s > timeout_s:
                raise NoResults(
                    f"no result for {timeout_s:g} s, {len(outstanding)} outstanding: "
                    "is a worker running?"
                )

    async def send(producer: Producer, blobs: BlobStore) -> None:
        publication = _Publication(settings, order, producer, blobs, view, outstanding)
        await publication.run(photographs)
        published.set()

    async with Producer(settings.librdkafka(log_level=0)) as producer, BlobStore(settings) as blobs:
        await _all_or_first_error(follow(), send(producer, blobs))


@dataclass(frozen=True, slots=True)
class _Publication:
    settings: PublishSettings
    order: Order
    producer: Producer
    blobs: BlobStore
    view: View
    outstanding: Outstanding | None

    async def run(self, photographs: Iterator[Photograph]) -> None:
        await _all_or_first_error(*(self._publish_from(photographs) for _ in range(_PLACES)))

    async def _publish_from(self, photographs: Iterator[Photograph]) -> None:
        for photograph in photographs:
            try:
                image = await self._image(photograph)
            except BlobStoreError:
                raise
            except (OSError, ValueError) as error:
                self.view.refused(photograph, _reason(error))
                continue
            await self._send(photograph, image)
            self.view.published(photograph)

    async def _image(self, photograph: Photograph) -> ImageRef:
        """Raises `OSError` or `ValueError` for what cannot be published, and `BlobStoreError`."""
        if photograph.path is None:
            return ImageRef(uri=photograph.uri)
        if self.order.by_reference:
            path = await asyncio.to_thread(photograph.path.resolve, strict=True)
            return ImageRef(uri=path.as_uri())
        data = await asyncio.to_thread(_read, photograph.path, self.settings.max_image_bytes)
        # The embedded broker forgets all but the newest 5 MiB of a partition.
        if not self.settings.kafka_embedded and len(data) <= self.settings.inline_limit_bytes:
            return ImageRef(data=base64.b64encode(data).decode())
        suffix = photograph.path.suffix.lower()
        known = suffix if suffix in SUFFIXES else ""
        return ImageRef(uri=await self.blobs.put(data, lane="images", suffix=known))

    async def _send(self, photograph: Photograph, image: ImageRef) -> None:
        request = Request(
            id=str(uuid.uuid4()),
            operation=self.order.operation,
            image=image,
            max_faces=self.order.max_faces,
            metadata={"file": photograph.name},
        )
        assert request.id is not None
        if self.outstanding is not None:
            await self.outstanding.add(request.id, photograph.name)
        await self.producer.send(
            self.settings.topics.images,
            wire.dumps(request),
            key=key_of(self.order.key, photograph, request.id).encode(),
            headers=wire.request_headers(request_id=request.id, source=SOURCE),
        )


def key_of(template: str | None, photograph: Photograph, request_id: str) -> str:
    """An event's key: the template with what it names, else the request's id."""
    if template is None:
        return request_id
    values = {
        "{name}": photograph.name,
        "{file}": photograph.file_name,
        "{folder}": photograph.folder,
        "{id}": request_id,
    }
    return _PLACEHOLDER.sub(lambda found: values[found[0]], template)


def _read(path: Path, max_bytes: int) -> bytes:
    """A file's bytes. Raises `OSError`, and `ValueError` when it is empty or too large."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if not data:
        raise ValueError("the file is empty")
    if len(data) > max_bytes:
        raise ValueError(f"the file is larger than MAX_IMAGE_BYTES, {max_bytes}")
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return error.errors(include_url=False)[0]["msg"]
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _settle(record: Record, outstanding: Outstanding, view: View) -> None:
    try:
        document = orjson.loads(record.value or b"")
        name = outstanding.settle(document["request_id"])
    except (ValueError, KeyError, TypeError):
        return  # no result of this contract: somebody else's
    if name is not None:
        view.settled(name, Result.model_validate(document))


async def _all_or_first_error(*coroutines: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
