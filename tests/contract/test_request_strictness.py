"""What is no request is refused with the leaf that says why; what is newer is let through."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from schemas import errors
from schemas.generate import json_schema
from schemas.requests import MAX_DATA_BYTES, parse_request

URI = {"uri": "s3://bucket/key.jpg"}
SMALL = base64.b64encode(b"\xff\xd8\xff").decode()
SHA256 = "0" * 64


def request(**changes: Any) -> dict[str, Any]:
    return {"operation": "embed", "image": URI} | changes


REFUSED: dict[str, tuple[dict[str, Any], type[errors.InvalidRequest], str]] = {
    "unknown operation": (request(operation="blink"), errors.UnknownOperation, "detect, embed"),
    "operation in capitals": (request(operation="EMBED"), errors.UnknownOperation, "operation"),
    "operation null": (request(operation=None), errors.UnknownOperation, "operation"),
    "no operation": ({"image": URI}, errors.UnknownOperation, "operation"),
    "no image": ({"operation": "embed"}, errors.NoImage, "image"),
    "image null": (request(image=None), errors.InvalidRequest, "image"),
    "image empty": (request(image={}), errors.NoImage, "neither"),
    "image of nulls": (request(image={"uri": None, "data": None}), errors.NoImage, "neither"),
    "image a string": (request(image="s3://bucket/key.jpg"), errors.InvalidRequest, "image"),
    "uri and data": (request(image=URI | {"data": SMALL}), errors.AmbiguousImage, "both"),
    "uri empty": (request(image={"uri": ""}), errors.InvalidRequest, "image.uri"),
    "uri too long": (request(image={"uri": "s3://" + "x" * 9000}), errors.InvalidRequest, "uri"),
    "data too large": (
        request(image={"data": base64.b64encode(bytes(MAX_DATA_BYTES + 3)).decode()}),
        errors.DataTooLarge,
        "send its uri",
    ),
    "sha256 short": (request(image=URI | {"sha256": "abc"}), errors.InvalidRequest, "sha256"),
    "sha256 in capitals": (
        request(image=URI | {"sha256": "A" * 64}),
        errors.InvalidRequest,
        "sha256",
    ),
    "max_faces true": (request(max_faces=True), errors.InvalidRequest, "max_faces"),
    "max_faces negative": (request(max_faces=-1), errors.InvalidRequest, "max_faces"),
    "max_faces huge": (request(max_faces=1e30), errors.InvalidRequest, "max_faces"),
    "max_faces text": (request(max_faces="1"), errors.InvalidRequest, "max_faces"),
    "max_faces broken": (request(max_faces=1.5), errors.InvalidRequest, "max_faces"),
    "id empty": (request(id=""), errors.InvalidRequest, "id"),
    "id a number": (request(id=7), errors.InvalidRequest, "id"),
    "id too long": (request(id="x" * 257), errors.InvalidRequest, "id"),
    "metadata a list": (request(metadata=[1]), errors.InvalidRequest, "metadata"),
    "metadata null": (request(metadata=None), errors.InvalidRequest, "metadata"),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "minimal": request(),
    "inline": request(image={"data": SMALL}),
    "the other null": request(image=URI | {"data": None, "sha256": None}),
    "with a hash": request(image=URI | {"sha256": SHA256}),
    "id null": request(id=None),
    "one face": request(max_faces=1),
    "unknown extra fields": request(priority=9, image=URI | {"etag": "x"}),
    "nested metadata": request(metadata={"a": [None, {"b": 1.5}]}),
    "data at the limit": request(image={"data": base64.b64encode(bytes(MAX_DATA_BYTES)).decode()}),
}


@pytest.mark.parametrize(("document", "leaf", "says"), REFUSED.values(), ids=list(REFUSED))
def test_refused_with_the_reason(
    document: dict[str, Any], leaf: type[errors.InvalidRequest], says: str
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        parse_request(orjson.dumps(document))
    assert type(caught.value) is leaf
    assert says in str(caught.value)


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=list(ACCEPTED))
def test_accepted(document: dict[str, Any]) -> None:
    parse_request(orjson.dumps(document))


@pytest.mark.parametrize(
    ("value", "leaf"),
    [
        (None, errors.NotJson),
        (b"", errors.NotJson),
        (b"\xff\xd8\xff\xe0", errors.NotJson),
        (b"{", errors.NotJson),
        (b"NaN", errors.NotJson),
        (b"[]", errors.InvalidRequest),
        (b"null", errors.InvalidRequest),
        (b'"embed"', errors.InvalidRequest),
        (b"{}", errors.UnknownOperation),
        (b"[" * 100_000, errors.NotJson),
    ],
)
def test_bytes_that_are_no_request(value: bytes | None, leaf: type[errors.InvalidRequest]) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        parse_request(value)
    assert type(caught.value) is leaf
    assert str(caught.value)


def test_a_refusal_does_not_repeat_the_value() -> None:
    """Reasons go into headers and logs: what was sent may be secret or large."""
    with pytest.raises(errors.InvalidRequest) as caught:
        parse_request(orjson.dumps(request(image=URI | {"sha256": "secret" * 1000})))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("depth", "accepted"), [(64, True), (65, False), (300, False)])
def test_metadata_is_refused_before_it_is_too_deep_to_be_written(
    depth: int, accepted: bool
) -> None:
    """JSON Schema cannot say so: its description does."""
    nested = b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"
    value = orjson.dumps(request()).replace(b"{", b'{"metadata":%b,' % nested, 1)
    if accepted:
        assert parse_request(value).metadata == orjson.loads(nested)
        return
    with pytest.raises(errors.InvalidRequest, match="metadata: nested more than 64"):
        parse_request(value)


@pytest.mark.parametrize("name", [*ACCEPTED, *REFUSED])
def test_the_published_schema_says_the_same_as_the_parser(name: str) -> None:
    document = ACCEPTED[name] if name in ACCEPTED else REFUSED[name][0]
    assert Draft202012Validator(json_schema("request")).is_valid(document) == (name in ACCEPTED)
