"""The HTTP edge's JSON: what callers send and what they get. OpenAPI is generated from it.

The names and shapes of the service that was there before. What was not measured is `null`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from schemas.results import (
    Analysis,
    Box,
    Embedding,
    Expression,
    Finite,
    Gender,
    ModelInfo,
    Points5,
    Pose,
    Quality,
    SkinTone,
    Status,
    Unit,
)
from schemas.topics import Operation

MAX_BATCH = 50
MAX_URL_CHARS = 8192
#: of one result as it is followed live
LIVE_FACES = 20

_BOX_EXAMPLE = [112.5, 80.25, 297.0, 331.5]
#: 512 numbers, so that an example can be sent as it stands
EXAMPLE_EMBEDDING = [round(1.5 * math.sin(0.7 * n + 0.1), 3) for n in range(512)]
_OTHER_EMBEDDING = [round(1.5 * math.sin(0.7 * n + 0.4), 3) for n in range(512)]
#: the smallest PNG: one pixel, on which there is no face
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
)

Stage = Literal["queue", "fetch", "decode", "detect", "embed", "analyze"]
Image = Annotated[str, Field(description="base64, with or without a `data:image/…;base64,` prefix")]
ImageUrl = Annotated[
    str,
    Field(
        max_length=MAX_URL_CHARS,
        pattern="^[hH][tT][tT][pP][sS]?://[^/]",
        description="http or https, from where the workers' IMAGE_SOURCES allows",
    ),
]
Confidence = Annotated[Unit, Field(examples=[0.87])]
BoxOut = Annotated[
    Box,
    Field(description="x1, y1, x2, y2: pixels of the upright image", examples=[_BOX_EXAMPLE]),
]
EmbeddingOut = Annotated[
    Embedding,
    Field(description="as the model gives it, not normalised"),
]


class _In(BaseModel):
    """Strict on what it means, open to fields of other clients."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageBody(_In):
    """Exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [  # a null beside the other is as good as none
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in ("image_base64", "image_url")
            ],
            "examples": [{"image_base64": _PIXEL}],
        }
    )

    image_base64: Annotated[Image, Field(min_length=1)] | None = None
    image_url: ImageUrl | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.image_base64 is not None and self.image_url is not None:
            raise PydanticCustomError(
                "ambiguous_image", "image_base64 and image_url are both given; send one"
            )
        if self.image_base64 is None and self.image_url is None:
            raise PydanticCustomError("no_image", "neither image_base64 nor image_url is given")
        return self


def _not_all_zero(values: list[float]) -> list[float]:
    if not any(values):
        raise PydanticCustomError("all_zero", "all values are zero: it points nowhere")
    return values


EmbeddingIn = Annotated[
    list[Annotated[float, Field(strict=True, allow_inf_nan=False)]],
    Field(
        min_length=512,
        max_length=512,
        description="512 finite numbers, not all zero",
        json_schema_extra={"not": {"items": {"const": 0}}},
    ),
    AfterValidator(_not_all_zero),
]


class CompareBody(_In):
    """Two embeddings of the same model pack."""

    embedding_a: EmbeddingIn = Field(examples=[EXAMPLE_EMBEDDING])
    embedding_b: EmbeddingIn = Field(examples=[_OTHER_EMBEDDING])


class BatchBody(_In):
    images: list[Image] = Field(
        min_length=1, max_length=MAX_BATCH, examples=[[_PIXEL]], description="answered in order"
    )


class VerifiedFace(_Out):
    confidence: Confidence
    bbox: BoxOut


class EmbeddedFace(_Out):
    embedding: EmbeddingOut | None
    bbox: BoxOut
    confidence: Confidence


class _AlignedFace(EmbeddedFace):
    landmarks_5: Points5 | None = Field(
        description="pixels: left eye, right eye, nose, left and right corner of the mouth, as seen"
    )


class AnalyzedFace(Analysis, _AlignedFace):
    """Its attributes flat, as in the service that was there before."""


def _absent(value: object) -> bool:
    return value is None


_ALL_FACES = "all faces, the most prominent first; only where `max_faces` asks for more than one"
_Asked = Field(default=None, exclude_if=_absent, description=_ALL_FACES)


class _Detected(_Out):
    face_detected: Literal[True]


class _Indexed(_Out):
    index: Annotated[int, Field(ge=0, lt=MAX_BATCH, description="place in the request")]


class VerifyAnswer(VerifiedFace, _Detected):
    """Of the most prominent face."""

    message: str = Field(examples=["Face detected successfully"])
    faces: list[VerifiedFace] | SkipJsonSchema[None] = _Asked


class EmbeddingAnswer(EmbeddedFace, _Detected):
    """Of the most prominent face."""

    embedding: EmbeddingOut
    faces: list[EmbeddedFace] | SkipJsonSchema[None] = _Asked


class AnalysisAnswer(AnalyzedFace, _Detected):
    """Of the most prominent face."""

    faces: list[AnalyzedFace] | SkipJsonSchema[None] = _Asked


class CompareAnswer(_Out):
    similarity: Annotated[float, Field(ge=-1, le=1)] = Field(
        description="cosine of the angle between the two", examples=[0.85]
    )
    distance: Annotated[float, Field(ge=0, le=2)] = Field(
        description="1 - similarity", examples=[0.15]
    )


class BatchFace(EmbeddedFace, _Detected, _Indexed):
    """Of the most prominent face."""

    embedding: EmbeddingOut


class BatchFailure(_Indexed):
    """A bad image fails alone."""

    face_detected: Literal[False]
    error: str = Field(examples=["No face detected in image"])
    code: str = Field(examples=["no_face"])


class BatchAnswer(_Out):
    results: list[BatchFace | BatchFailure] = Field(min_length=1, max_length=MAX_BATCH)
    total: int
    successful: int
    failed: int


class HealthWorker(_Out):
    """A worker that has been heard since the edge started."""

    id: str
    state: str
    partitions: dict[str, list[int]] = Field(description="held, by topic")
    models: ModelInfo | None = Field(description="`null` until they are loaded")
    last_heard_s: Finite = Field(ge=0, description="seconds since its last heartbeat")


class HealthAnswer(_Out):
    status: Literal["healthy", "degraded"] = Field(
        description="`healthy` while a worker is heard that would answer"
    )
    model: str = Field(examples=["insightface"])
    model_loaded: bool
    version: str = Field(examples=["1.0.0"])
    model_pack: str = Field(examples=["buffalo_l"])
    workers: list[HealthWorker]
    broker: Literal["up", "down"]
    uptime_s: Finite = Field(ge=0)


class ReadyAnswer(_Out):
    ready: Literal[True]


class LiveState(_Out):
    """Event `state`: the first of a stream, and whenever it changes."""

    following: bool = Field(description="whether the topics are read now")


class LiveMissed(_Out):
    """Event `missed`: more came than is shown, or than was taken in time."""

    results: Annotated[int, Field(gt=0, description="that were left out since the last event")]


class LiveFace(VerifiedFace):
    """Without landmarks and embedding; `null` where it was not measured."""

    age: int | None
    gender: Gender | None
    pose: Pose | None
    quality: Quality | None
    symmetry_score: Unit | None
    skin_tone: SkinTone | None
    expression: Expression | None


class LiveResult(_Out):
    """Event `result`: no image, embedding, address, metadata or id of the request."""

    id: str = Field(
        pattern="^[0-9a-f]{8}$",
        examples=["5b1c09e4"],
        description="a keyed hash of the result's id: the same result twice has the same one, for "
        "as long as anybody follows at this edge",
    )
    at_ms: int = Field(description="epoch milliseconds at which it was published")
    operation: Operation | None
    status: Status
    error_code: str | None = Field(description="`null` unless `status` is `failed`")
    width: int | None = Field(description="of the upright image, pixels")
    height: int | None = Field(description="of the upright image, pixels")
    faces_found: int = Field(ge=0)
    faces: list[LiveFace] = Field(
        max_length=LIVE_FACES, description="the most prominent first, at most so many"
    )
    timings_ms: dict[Stage, Finite] = Field(description="milliseconds by stage")


class ErrorAnswer(_Out):
    """Every error, whatever its status."""

    face_detected: Literal[False]
    error: str = Field(description="for people", examples=["No face detected in image"])
    code: str = Field(description="for programs", examples=["no_face"])
    request_id: str = Field(
        description="also in the header X-Request-ID", examples=["7f8a2c1e5b9d4f60a3c4e5d6f7a8b9c0"]
    )
