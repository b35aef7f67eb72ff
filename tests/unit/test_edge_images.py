"""First bytes, base64 and cosines: the edge's pure parts."""

from __future__ import annotations

import base64
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as some

from http_edge.errors import EmptyImage, NotBase64
from http_edge.images import decode_base64, reference_to, suffix_of
from http_edge.logs import request_id_of, traceparent_of
from http_edge.similarity import cosine
from schemas.errors import ImageForbidden, ImageTooLarge, NotAnImage


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"GIF87a", ".gif"),
        (b"GIF89a", ".gif"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", ".bmp"),
        (b"BM" + bytes(12) + b"\x7c\0\0\0", ".bmp"),
    ],
)
def test_a_format_is_known_by_its_first_bytes(data: bytes, suffix: str) -> None:
    assert suffix_of(data) == suffix
    assert suffix_of(data + b"and more") == suffix


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8",
        b"\x89PNG",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"BM" + bytes(40),
        b"<svg>",
        b"\x00\x00\x00\x18ftypheic",
        b"II*\x00",
        b"%PDF-1.7",
        b" \xff\xd8\xff",
    ],
)
def test_other_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        suffix_of(data)


def test_nothing_is_an_empty_image() -> None:
    with pytest.raises(EmptyImage):
        suffix_of(b"")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 196_607, 196_608, 196_609, 700_001])
@pytest.mark.parametrize("prefix", [b"", b"data:image/jpeg;base64,", b"DATA:;BASE64,"])
async def test_base64_is_decoded_whatever_its_size(size: int, prefix: bytes) -> None:
    data = os.urandom(size)
    text = base64.b64encode(data)
    assert await decode_base64(prefix + text, size) == data
    assert await decode_base64(prefix + text.rstrip(b"="), size) == data
    assert await decode_base64(prefix + base64.encodebytes(data), size) == data


@pytest.mark.parametrize(
    "text",
    [b"a", b"ab=c", b"ab-_", b"a*bc", b"\xc3\xa4bc", b"data:image/png,abcd", b"data:x", b"abcde"],
)
async def test_other_text_is_not_base64(text: bytes) -> None:
    with pytest.raises(NotBase64):
        await decode_base64(text, 1000)


async def test_padding_belongs_to_the_end_of_a_long_text_too() -> None:
    with pytest.raises(NotBase64):
        await decode_base64(b"A" * (256 * 1024 - 1) + b"=" + b"A" * 100, 1_000_000)


async def test_a_text_that_is_too_long_is_not_decoded() -> None:
    assert len(await decode_base64(b"AAAA" * 10, 30)) == 30
    with pytest.raises(ImageTooLarge):
        await decode_base64(b"AAAA" * 10 + b"AA==", 30)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "s3://b/k", "http://u:p@h/", "http://h/%252e%252e/x", "http:///x"]
)
def test_only_plain_addresses_of_the_web_travel(url: str) -> None:
    with pytest.raises(ImageForbidden):
        reference_to(url)


finite = some.floats(allow_nan=False, allow_infinity=False)
vectors = some.lists(finite, min_size=4, max_size=4).filter(any)


@given(vectors, vectors)
def test_a_cosine_is_finite_symmetric_and_in_its_range(a: list[float], b: list[float]) -> None:
    similarity = cosine(a, b)
    assert -1 <= similarity <= 1
    assert similarity == cosine(b, a)


@given(vectors)
def test_a_vector_is_like_itself_and_unlike_its_opposite(a: list[float]) -> None:
    assert math.isclose(cosine(a, a), 1)
    assert math.isclose(cosine(a, [-value for value in a]), -1)


def test_ids_that_are_made_differ() -> None:
    assert request_id_of(None) != request_id_of(None)
    assert request_id_of("kept") == "kept"
    assert request_id_of("kept\n") != "kept\n"


@pytest.mark.parametrize(
    "given_trace",
    [
        "",
        "00",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ],
)
def test_a_trace_that_is_none_is_dropped(given_trace: str) -> None:
    assert traceparent_of(given_trace) is None
