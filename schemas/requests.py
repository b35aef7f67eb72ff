"""What comes in. Strict on what it means, open to fields of newer producers."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas import errors
from schemas.topics import Operation

#: inline images are for small ones: more belongs into a store, and its address here
MAX_DATA_BYTES = 1024 * 1024
MAX_ID_CHARS = 256
#: the JSON writer's own limit, at 254, would be met only when the result is written
_MAX_METADATA_DEPTH = 64
_MAX_DATA_CHARS = (MAX_DATA_BYTES + 2) // 3 * 4

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ImageRef(BaseModel):
    """Exactly one of `uri` and `data`."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={
            "oneOf": [  # a null beside the other is as good as none
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("uri", "data")
            ]
        },
    )

    uri: str | None = Field(
        default=None,
        min_length=1,
        max_length=8192,
        examples=["s3://bucket/key.jpg"],
        description="s3://, gs://, az://, http(s):// or file://; IMAGE_SOURCES allows",
    )
    data: str | None = Field(
        default=None,
        min_length=1,
        description=f"base64, at most {MAX_DATA_BYTES} bytes once decoded",
        json_schema_extra={"contentEncoding": "base64", "maxLength": _MAX_DATA_CHARS},
    )
    sha256: Sha256 | None = Field(default=None, description="hexadecimal; checked when given")

    @model_validator(mode="after")
    def _exactly_one(self) -> ImageRef:
        if self.uri is not None and self.data is not None:
            raise PydanticCustomError("ambiguous_image", "both uri and data are given; send one")
        if self.uri is None and self.data is None:
            raise PydanticCustomError("no_image", "neither uri nor data is given")
        if self.data is not None and len(self.data) > _MAX_DATA_CHARS:
            raise PydanticCustomError(
                "data_too_large",
                "data holds {size} base64 characters; the limit is {limit} ({bytes} bytes): "
                "put the image into a store and send its uri",
                {"size": len(self.data), "limit": _MAX_DATA_CHARS, "bytes": MAX_DATA_BYTES},
            )
        return self

    def decode_data(self) -> bytes:
        """The inline bytes. Raises `NotAnImage` when they are not base64."""
        assert self.data is not None
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError):
            raise errors.NotAnImage("image.data is not base64") from None


def _not_too_deep(metadata: object) -> object:
    """Level by level: no recursion that could itself be too deep."""
    level: list[object] = [metadata] if isinstance(metadata, dict) else []
    for _ in range(_MAX_METADATA_DEPTH):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return metadata
    raise PydanticCustomError(
        "too_deep", "nested more than {limit} levels deep", {"limit": _MAX_METADATA_DEPTH}
    )


def _inner(value: object) -> list[object]:
    """The objects and arrays of an object or an array."""
    values = list(value.values()) if isinstance(value, dict) else value
    assert isinstance(values, list)
    return [inner for inner in values if isinstance(inner, dict | list)]


class Request(BaseModel):
    """An image and what to do with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="the producer's; follows from topic, partition and offset where missing",
    )
    operation: Operation = Field(
        description="detect: boxes and points; embed: embeddings too; analyze: attributes too"
    )
    image: ImageRef
    max_faces: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        strict=True,
        description="at most so many, the most prominent first; 0: all",
    )
    metadata: Annotated[dict[str, JsonValue], BeforeValidator(_not_too_deep)] = Field(
        default_factory=dict, description=f"echoed back; at most {_MAX_METADATA_DEPTH} levels deep"
    )


_BY_TYPE: dict[str, type[errors.InvalidRequest]] = {
    "ambiguous_image": errors.AmbiguousImage,
    "no_image": errors.NoImage,
    "data_too_large": errors.DataTooLarge,
}


def parse_request(value: bytes | None) -> Request:
    """Bytes → request. Raises a leaf of `InvalidRequest` that says what does not fit."""
    if not value:
        raise errors.NotJson("the event has no value")
    try:
        document: Any = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise errors.NotJson(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise errors.InvalidRequest(f"a JSON object is wanted, not {type(document).__name__}")
    try:
        return Request.model_validate(document)
    except ValidationError as error:
        raise _explained(error) from None


def claimed_id(value: bytes | None) -> str | None:
    """The id that bytes name, be they a request or not."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    claimed = document.get("id") if isinstance(document, dict) else None
    return claimed if isinstance(claimed, str) and 0 < len(claimed) <= MAX_ID_CHARS else None


def _explained(error: ValidationError) -> errors.InvalidRequest:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    where = [".".join(str(part) for part in detail["loc"]) for detail in details]
    message = "; ".join(f"{at}: {d['msg']}" for at, d in zip(where, details, strict=True))
    for at, detail in zip(where, details, strict=True):
        if detail["type"] in _BY_TYPE:
            return _BY_TYPE[detail["type"]](message)
        if at == "operation":
            return errors.UnknownOperation(f"{message} (detect, embed or analyze)")
        if at == "image" and detail["type"] == "missing":
            return errors.NoImage(message)
    return errors.InvalidRequest(message)
