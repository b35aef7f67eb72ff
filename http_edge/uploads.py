"""Bodies as they arrive: streamed, counted, limited in bytes and in time, and read in every form.

An image comes as multipart `file`, as `image_base64` (a multipart or urlencoded field, or in
JSON), as JSON `image_url`, or as the raw body with an `image/*` type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from http_edge.errors import (
    AmbiguousImageGiven,
    BrokenBody,
    NoImageGiven,
    NotJsonBody,
    UnfitBody,
    UnsupportedForm,
    unfit,
)
from http_edge.images import decode_base64, reference_to
from http_edge.intake import Intake
from http_edge.limits import BodyShare
from http_edge.metrics import EdgeMetrics
from http_edge.receptions import Receptions
from http_edge.settings import EdgeSettings
from schemas.http import ImageBody
from schemas.requests import ImageRef

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"
#: what aiohttp says where the caller said nothing
_UNSAID = "application/octet-stream"

_CHUNK_BYTES = 64 * 1024
_MAX_PARTS = 32
#: of a form or of JSON, beside the image in it
_AROUND_IMAGE_BYTES = 64 * 1024
#: longer fields are read in a thread: they would hold up the event loop
_THREAD_BYTES = 256 * 1024

Body = TypeVar("Body", bound=BaseModel)


class Uploads:
    """Receives bodies. Each holds one of `UPLOAD_PLACES` while it arrives, and no other place."""

    def __init__(self, settings: EdgeSettings, metrics: EdgeMetrics) -> None:
        self._receptions = Receptions(
            settings.upload_places, settings.upload_timeout_s, metrics.uploads
        )
        self._metrics = metrics
        self._max_image_bytes = settings.max_image_bytes
        self._max_body_bytes = settings.max_body_bytes
        #: of a body that holds one image as text
        self._max_text_bytes = (settings.max_image_bytes + 2) // 3 * 4 + _AROUND_IMAGE_BYTES

    async def image(self, request: web.Request, share: BodyShare) -> bytes | ImageRef:
        """The image's bytes, or the address that was given.

        Raises a leaf of `EdgeError`, `ImageError`.
        """
        async with self._receiving(request, share) as intake:
            match request.content_type:
                case "multipart/form-data":
                    return await self._from_multipart(request, intake)
                case "application/x-www-form-urlencoded":
                    text = await _field(await intake.whole(self._max_text_bytes))
                    return await decode_base64(text, self._max_image_bytes)
                case "application/json":
                    return await self._from_json(intake)
                case kind if kind.startswith("image/"):
                    return await intake.whole(self._max_image_bytes, image=True)
                case _ if not request.body_exists:
                    raise NoImageGiven("There is no image in the request")
                case _:
                    raise UnsupportedForm(
                        f"Send an image as {_MULTIPART}, {_URLENCODED}, {_JSON} or image/*"
                    )

    async def json(
        self, request: web.Request, model: type[Body], share: BodyShare, max_bytes: int
    ) -> Body:
        """A JSON body that fits the model. Raises a leaf of `EdgeError`."""
        if request.content_type not in (_JSON, _UNSAID):
            raise NotJsonBody(f"The body is to be {_JSON}")
        async with self._receiving(request, share) as intake:
            return _parsed(await intake.whole(min(max_bytes, self._max_body_bytes)), model)

    @asynccontextmanager
    async def _receiving(self, request: web.Request, share: BodyShare) -> AsyncIterator[Intake]:
        async with self._receptions.take() as reception:
            try:
                yield Intake(request, reception, share, self._metrics)
            except (web.RequestPayloadError, ConnectionError):
                raise BrokenBody("The body ended early, or its encoding is damaged") from None

    async def _from_json(self, intake: Intake) -> bytes | ImageRef:
        limit = min(self._max_text_bytes, self._max_body_bytes)
        body = _parsed(await intake.whole(limit), ImageBody)
        if body.image_url is not None:
            return reference_to(body.image_url)
        assert body.image_base64 is not None
        return await decode_base64(body.image_base64.encode(), self._max_image_bytes)

    async def _from_multipart(self, request: web.Request, intake: Intake) -> bytes:
        intake.check_length(self._max_text_bytes)
        images: list[bytes] = []
        with _well_formed():
            parts = await request.multipart()
        for _ in range(_MAX_PARTS):
            with _well_formed():
                part = await parts.next()
            if part is None:
                break
            if isinstance(part, MultipartReader):
                raise UnfitBody("A part is multipart itself")
            if part.name == "file":
                chunks = _chunks(part)
                images.append(await intake.collect(chunks, self._max_image_bytes, image=True))
            elif part.name == "image_base64":
                text = await intake.collect(_chunks(part), self._max_text_bytes)
                images.append(await decode_base64(text, self._max_image_bytes))
            else:
                await intake.collect(_chunks(part), _AROUND_IMAGE_BYTES)
        else:
            raise UnfitBody(f"The form has more than {_MAX_PARTS} parts")
        # A form in a browser sends the field that was left out as well, with nothing in it.
        given = [image for image in images if image] or images[:1]
        if len(given) != 1:
            raise _not_one_image(len(given))
        return given[0]


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while True:
        with _well_formed():
            chunk = await part.read_chunk(_CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


@contextmanager
def _well_formed() -> Iterator[None]:
    """What aiohttp's reader says of a damaged form, as what it is."""
    try:
        yield
    except (ValueError, AssertionError, RuntimeError, LookupError, HttpProcessingError):
        raise UnfitBody("The multipart form is damaged") from None


async def _field(form: bytes) -> bytes:
    """The text of `image_base64` in an urlencoded form.

    `+` is left as it is: a caller who forgot to encode it meant the character of base64.
    """
    named = b"image_base64="
    values = [part[len(named) :] for part in form.split(b"&") if part.startswith(named)]
    if len(values) != 1:
        raise _not_one_image(len(values))
    if len(values[0]) > _THREAD_BYTES:
        return await asyncio.to_thread(unquote_to_bytes, values[0])
    return unquote_to_bytes(values[0])


def _parsed(body: bytes, model: type[Body]) -> Body:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotJsonBody("The body is not JSON") from None
    if not isinstance(document, dict):
        raise UnfitBody("The body is to be a JSON object")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise unfit(error) from None


def _not_one_image(count: int) -> UnfitBody:
    if count:
        return AmbiguousImageGiven(f"The form holds {count} images; send one")
    return NoImageGiven("The form holds neither file nor image_base64")
