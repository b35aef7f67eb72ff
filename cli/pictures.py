"""Results as annotated pictures: each photograph is read once more, and what was found drawn on it.

It is read as a worker reads it, from where `IMAGE_SOURCES` allows and from the blob store; what
travelled in its event is looked for in a folder, by the name that its publisher gave it. Only a
photograph with the result's SHA-256 is drawn on.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import cv2
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from cli.dead_letter_views import printable
from cli.drawing import annotate, footer
from cli.following import Record
from cli.sinks import name_of
from schemas.errors import HashMismatch, ImageError, ImageNotFound
from schemas.requests import ImageRef
from schemas.results import Result
from stream.decoding import decode
from stream.image_settings import ImageSettings
from stream.images import ImageReader
from stream.io.blobs import BlobSettings, BlobStore
from stream.io.files import read_file
from stream.io.kafka import KafkaSettings

_JPEG_QUALITY = 92
_MOST_NAME_CHARS = 120
_NOT_IN_NAMES = re.compile(r"[^\w.\-]+")


class PictureSettings(KafkaSettings, ImageSettings, BlobSettings):
    """What `consume --draw` is told by the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)


class Pictures:
    """A JPEG for each result whose photograph can be read; why the others have none is said."""

    def __init__(self, folder: Path, settings: PictureSettings, photographs: Path | None) -> None:
        """folder: for the pictures; photographs: where files lie that have no address."""
        self._folder = folder
        self._settings = settings
        self._photographs = photographs
        self._names: dict[str, str] = {}
        self._drawn = 0

    def __enter__(self) -> Self:
        """Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._reader = self._runner.run(self._open())
        return self

    async def _open(self) -> ImageReader:
        blobs = await self._stack.enter_async_context(BlobStore(self._settings))
        return await self._stack.enter_async_context(ImageReader(self._settings, blobs))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def take(self, record: Record) -> bool:
        """Raises `OSError` where the picture cannot be written."""
        try:
            result = Result.model_validate_json(record.value or b"")
        except ValidationError:
            return False
        name = printable(name_of(result).rpartition("://")[2])
        if result.error is not None:
            click.echo(f"{name} is not drawn: {result.error.code}", err=True)
            return True
        try:
            image = decode(self._runner.run(self._bytes(result)), self._settings.max_image_pixels)
        except ImageError as error:
            click.echo(f"{name} is not drawn: {error}", err=True)
            return True
        picture = annotate(image, result, footer(name, result))
        path = self._folder / self._file_name(name, result.request_id)
        if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
            raise OSError(f"{path} could not be written")
        self._drawn += 1
        return True

    def told(self, came: int) -> str:
        return f"{self._drawn} of {came} results drawn in {self._folder}/"

    async def _bytes(self, result: Result) -> bytes:
        """The photograph's. Raises a leaf of `ImageError`."""
        data = self._from_folder(result)
        if data is None:
            if result.image.uri is None:
                raise ImageNotFound(
                    "it travelled in its event, and lies in no folder that is named"
                )
            data = await self._reader.fetch(ImageRef.model_construct(uri=result.image.uri))
        if hashlib.sha256(data).hexdigest() != result.image.sha256:
            raise HashMismatch("it is another by now than the one that was computed")
        return data

    def _from_folder(self, result: Result) -> bytes | None:
        """By its publisher's name for it; `None` where no such file is there."""
        file = result.metadata.get("file")
        if self._photographs is None or not isinstance(file, str):
            return None
        try:
            return read_file(
                str(self._photographs / file),
                (str(self._photographs),),
                shown=printable(file),
                max_bytes=self._settings.max_image_bytes,
            )
        except ImageNotFound:
            return None

    def _file_name(self, name: str, request_id: str) -> str:
        """`Ann-1.jpg` for `Ann/1.png`; another request's photograph of that name is numbered."""
        stem = _NOT_IN_NAMES.sub("-", name.rpartition(".")[0] or name).strip("-.") or "photograph"
        stem = stem[-_MOST_NAME_CHARS:]
        number, numbered = 1, stem
        while self._names.setdefault(numbered, request_id) != request_id:
            number += 1
            numbered = f"{stem}-{number}"
        return f"{numbered}.jpg"
