"""Every error: one shape, the status of its code, the headers that go with it, and no secrets."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import FormData, MultipartWriter

from http_edge.errors import codes_of
from http_edge.kafka import BrokerAway, NoAnswer, NoWorker
from schemas import errors as stream_errors
from schemas.errors import FacestreamError
from schemas.results import Result
from stream.io.blobs import BlobStoreFull, BlobStoreUnavailable
from tests.edge_fake import KEY, PNG, FakeEdge, failed, fake_edge

GOLDEN = Path(__file__).parent / "golden"
STATUSES: dict[str, Any] = orjson.loads((GOLDEN / "http" / "statuses.json").read_bytes())
ROUTES = ("verify-face", "extract-embedding", "analyze-face-advanced")
TEXT = base64.b64encode(PNG).decode()
UPLOADED = {"json": {"image_base64": TEXT}}
LINKED = {"json": {"image_url": "https://images.example.com/a.png"}}


def ok() -> Result:
    return Result.model_validate_json((GOLDEN / "result_analysis.json").read_bytes())


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    async with fake_edge(tmp_path, ok(), max_image_bytes=1000, max_body_bytes=20_000) as edge:
        yield edge


def assert_error(answer: Any, headers: dict[str, str], code: str, words: str | None = None) -> None:
    assert list(answer) == ["face_detected", "error", "code", "request_id"]
    assert answer["face_detected"] is False
    assert answer["code"] == code
    assert answer["error"]
    assert answer["request_id"] == headers["X-Request-ID"]
    if words is not None:
        assert words in answer["error"]


def worker_codes(kind: type[FacestreamError] = FacestreamError) -> list[str]:
    """Of every leaf that a worker may settle a request with."""
    leaves = [code for child in kind.__subclasses__() for code in worker_codes(child)]
    return [*([kind.code] if kind.__module__ == stream_errors.__name__ else []), *leaves]


IMAGE_CODES = [
    *worker_codes(stream_errors.ImageError)[1:],
    *worker_codes(stream_errors.ProcessingError)[1:],
]


@pytest.mark.parametrize("code", IMAGE_CODES)
@pytest.mark.parametrize("how", [UPLOADED, LINKED], ids=["uploaded", "linked"])
async def test_a_failed_result_has_the_status_of_its_code(
    edge: FakeEdge, code: str, how: dict[str, Any]
) -> None:
    edge.gateway.result = failed(code, "file:///blobs/x is gone")
    status, answer, headers = await edge.post("extract-embedding", **how)
    expected = STATUSES["uploaded" if how is UPLOADED else "linked"]
    assert status == expected[code]
    assert_error(answer, headers, code)
    assert ("Retry-After" in headers) == (status == 503)
    if how is UPLOADED and status == 503 and code.startswith(("image", "fetch")):
        assert "file:" not in answer["error"], "where the edge stores images is nobody's business"


def test_every_code_of_a_worker_is_in_the_golden_table() -> None:
    assert set(STATUSES["uploaded"]) == set(STATUSES["linked"]) == set(IMAGE_CODES)


def test_the_golden_table_is_what_the_documentation_says() -> None:
    for table in ("uploaded", "linked"):
        for code, status in STATUSES[table].items():
            assert code in codes_of(status)


async def test_a_code_of_a_newer_worker_is_503(edge: FakeEdge) -> None:
    edge.gateway.result = failed("from_the_future")
    status, answer, headers = await edge.post("verify-face", **UPLOADED)
    assert status == 503
    assert_error(answer, headers, "from_the_future")


@pytest.mark.parametrize("route", ROUTES)
async def test_no_face_is_400_in_the_old_words(edge: FakeEdge, route: str) -> None:
    edge.gateway.result = Result.model_validate_json((GOLDEN / "result_no_face.json").read_bytes())
    status, answer, headers = await edge.post(route, headers={"X-Request-ID": "r-1"}, **UPLOADED)
    assert status == 400
    assert answer == orjson.loads((GOLDEN / "http" / "error.no-face.json").read_bytes())
    assert headers["X-Request-ID"] == "r-1"


async def test_a_pack_without_a_recogniser_gives_no_embedding(edge: FakeEdge) -> None:
    less = (GOLDEN / "result_analysis_of_less.json").read_bytes()
    edge.gateway.result = Result.model_validate_json(less)
    status, answer, headers = await edge.post("extract-embedding", **UPLOADED)
    assert status == 503
    assert_error(answer, headers, "inference_failed")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoWorker("w-17 at 10.0.0.1"), 503, "no_worker"),
        (BrokerAway("kafka.internal:9092"), 503, "broker_away"),
        (NoAnswer("x"), 504, "no_answer"),
        (BlobStoreFull("no room in /var/blobs"), 503, "no_room"),
        (BlobStoreUnavailable("s3://bucket"), 503, "store_away"),
    ],
)
@pytest.mark.parametrize("route", [*ROUTES, "batch-extract"])
async def test_what_stands_behind_the_edge_is_told_of_in_its_own_words(
    edge: FakeEdge, route: str, error: Exception, status: int, code: str
) -> None:
    edge.gateway.result = error
    how = {"json": {"images": [TEXT, TEXT]}} if route == "batch-extract" else UPLOADED
    got, answer, headers = await edge.post(route, **how)
    assert got == status
    assert_error(answer, headers, code)
    assert str(error) not in answer["error"]
    assert ("Retry-After" in headers) == (status == 503)


async def test_without_an_able_worker_nothing_is_stored_or_asked(
    edge: FakeEdge, tmp_path: Path
) -> None:
    edge.gateway.heard = []
    for route, how in (("verify-face", UPLOADED), ("batch-extract", {"json": {"images": [TEXT]}})):
        status, answer, headers = await edge.post(route, **how)
        assert status == 503
        assert_error(answer, headers, "no_worker")
    assert edge.gateway.asked == []
    assert list(tmp_path.rglob("*.png")) == []  # noqa: ASYNC240 - a folder of nothing


class Surprise(RuntimeError):
    pass


@pytest.mark.parametrize("route", [*ROUTES, "batch-extract"])
async def test_what_nobody_foresaw_is_500_and_only_the_log_says_more(
    edge: FakeEdge, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    edge.gateway.result = Surprise("/secret/path")
    how = {"json": {"images": [TEXT]}} if route == "batch-extract" else UPLOADED
    status, answer, headers = await edge.post(route, **how)
    assert status == 500
    assert_error(answer, headers, "internal", "Internal error")
    assert "secret" not in str(answer)
    assert answer["request_id"] in caplog.text
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        KEY,
        f"Basic {KEY}",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY},",
        f"Bearer {KEY.upper()}",
        "Bearer ünïcode",
        "Bearer " + "x" * 4000,
    ],
)
async def test_without_a_known_key_nobody_is_let_in(
    edge: FakeEdge, authorization: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    edge.headers = {} if authorization is None else {"Authorization": authorization}
    for route in (*ROUTES, "compare-faces", "batch-extract"):
        status, answer, headers = await edge.post(route, data=b"not even looked at")
        assert status == 401
        assert headers["WWW-Authenticate"] == "Bearer"
        assert_error(answer, headers, "unauthorized")
    assert KEY not in caplog.text.lower()


@pytest.mark.parametrize("authorization", ["bearer second", "BEARER   second", "Bearer first"])
async def test_any_of_several_keys_is_let_in(tmp_path: Path, authorization: str) -> None:
    async with fake_edge(tmp_path, ok(), api_key="first, second") as edge:
        edge.headers = {"Authorization": authorization}
        assert (await edge.post("verify-face", **UPLOADED))[0] == 200


async def test_what_is_for_everybody_wants_no_key(edge: FakeEdge) -> None:
    for path in ("/api/v1/health", "/api/v1/ready", "/metrics", "/openapi.json", "/docs", "/redoc"):
        async with edge.client.get(path) as response:
            assert response.status == 200, path
            assert response.headers["X-Request-ID"]


async def test_routes_and_methods_that_are_not_there_are_said_in_json(edge: FakeEdge) -> None:
    status, answer, headers = await edge.get("/api/v2/verify-face?key=secret")
    assert status == 404
    assert_error(answer, headers, "not_found")
    status, answer, headers = await edge.get("/api/v1/verify-face")
    assert status == 405
    assert_error(answer, headers, "method_not_allowed")
    assert "POST" in headers["Allow"]


def form(**fields: bytes | str) -> dict[str, Any]:
    data = FormData(default_to_multipart=True)
    for name, value in fields.items():
        data.add_field(name, value, filename="a.png" if isinstance(value, bytes) else None)
    return {"data": data}


def typed(kind: str, data: bytes) -> dict[str, Any]:
    return {"data": data, "headers": {"Content-Type": kind}}


def nested() -> dict[str, Any]:
    outer, inner = MultipartWriter("form-data"), MultipartWriter("mixed")
    inner.append("x")
    outer.append(inner)
    return {"data": outer}


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
LARGE = PNG + bytes(1000)
LARGE_TEXT = base64.b64encode(LARGE).decode()

UNFIT: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "nothing": ({}, 422, "no_image", "no image"),
    "another type": (typed("text/plain", b"x"), 415, "unsupported_form", "image/*"),
    "no type": (typed("application/octet-stream", PNG), 415, "unsupported_form", "image/*"),
    "raw, empty": (typed("image/png", b""), 400, "empty_image", "empty"),
    "raw, no image": (typed("image/png", b"GIF87"), 415, "not_an_image", "JPEG"),
    "raw, a page": (typed("image/png", b"<html>" * 20), 415, "not_an_image", "JPEG"),
    "raw, a bitmap in name": (typed("image/bmp", b"BM" + bytes(40)), 415, "not_an_image", "JPEG"),
    "raw, too large": (typed("image/png", LARGE), 413, "image_too_large", "1000 bytes"),
    "no form": (typed("multipart/form-data", PNG), 422, "unfit_request", "damaged"),
    "form of nothing": (typed(MULTIPART, b""), 422, "unfit_request", "damaged"),
    "form that ends": (typed(MULTIPART, b"--b\r\nContent-"), 422, "unfit_request", "damaged"),
    "form without end": (
        typed(MULTIPART, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + PNG),
        422,
        "unfit_request",
        "damaged",
    ),
    "form of other fields": (form(picture=PNG), 422, "no_image", "neither file"),
    "form of two images": (form(file=PNG, image_base64=TEXT), 422, "ambiguous_image", "2 images"),
    "form of an empty file": (form(file=b""), 400, "empty_image", "empty"),
    "form of no image": (form(file=b"hello" * 20), 415, "not_an_image", "JPEG"),
    "form of a large file": (form(file=LARGE), 413, "image_too_large", "1000 bytes"),
    "form of a large text": (form(image_base64=LARGE_TEXT), 413, "image_too_large", "1000 bytes"),
    "form of no base64": (form(image_base64="*"), 400, "not_base64", "base64"),
    "form of many parts": (form(**{f"p{n}": "x" for n in range(40)}), 422, "unfit_request", "32"),
    "form within a form": (nested(), 422, "unfit_request", "multipart itself"),
    "urlencoded nothing": (typed(FORM, b""), 422, "no_image", "neither"),
    "urlencoded twice": (
        typed(FORM, b"image_base64=a&image_base64=b"),
        422,
        "ambiguous_image",
        "2 images",
    ),
    "urlencoded no base64": (typed(FORM, b"image_base64=%ff%00"), 400, "not_base64", "base64"),
    "JSON nothing": (typed(JSON, b""), 422, "not_json", "not JSON"),
    "JSON cut off": (typed(JSON, b'{"image_base64": "'), 422, "not_json", "not JSON"),
    "JSON list": (typed(JSON, b"[]"), 422, "unfit_request", "object"),
    "JSON number": (typed(JSON, b"7"), 422, "unfit_request", "object"),
    "JSON NaN": (typed(JSON, b'{"image_base64": NaN}'), 422, "not_json", "not JSON"),
    "JSON deep": (typed(JSON, b"[" * 9000), 422, "not_json", "not JSON"),
    "JSON of neither": ({"json": {"image": TEXT}}, 422, "no_image", "neither"),
    "JSON of both": (
        {"json": {"image_base64": TEXT, "image_url": "http://h/"}},
        422,
        "ambiguous_image",
        "both",
    ),
    "JSON empty text": ({"json": {"image_base64": ""}}, 422, "unfit_request", "image_base64"),
    "JSON no text": ({"json": {"image_base64": 7}}, 422, "unfit_request", "image_base64"),
    "JSON no base64": ({"json": {"image_base64": "ab=c"}}, 400, "not_base64", "base64"),
    "JSON not base64 at all": ({"json": {"image_base64": "ä€"}}, 400, "not_base64", "base64"),
    "JSON one character": ({"json": {"image_base64": "a"}}, 400, "not_base64", "base64"),
    "JSON other data URL": ({"json": {"image_base64": "data:,x"}}, 400, "not_base64", "data URL"),
    "JSON empty data URL": (
        {"json": {"image_base64": "data:image/png;base64,"}},
        400,
        "empty_image",
        "empty",
    ),
    "JSON large image": ({"json": {"image_base64": LARGE_TEXT}}, 413, "image_too_large", "1000"),
    "JSON large body": (
        {"json": {"image_base64": "A" * 20_000}},
        413,
        "body_too_large",
        "20000 bytes",
    ),
    "a file's address": (
        {"json": {"image_url": "file:///etc/passwd"}},
        422,
        "unfit_request",
        "url",
    ),
    "a bucket's address": ({"json": {"image_url": "s3://b/k.jpg"}}, 422, "unfit_request", "url"),
    "no host": ({"json": {"image_url": "https:///a.jpg"}}, 422, "unfit_request", "image_url"),
    "long address": (
        {"json": {"image_url": "http://h/" + "a" * 8192}},
        422,
        "unfit_request",
        "url",
    ),
    "credentials": (
        {"json": {"image_url": "http://u:p@h/a"}},
        400,
        "image_forbidden",
        "credentials",
    ),
    "control character": ({"json": {"image_url": "http://h/\na"}}, 400, "image_forbidden", "URL"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_a_body_that_cannot_be_used_is_refused_with_the_reason(
    edge: FakeEdge, case: str
) -> None:
    how, status, code, words = UNFIT[case]
    got, answer, headers = await edge.post("verify-face", **how)
    assert (got, answer["code"]) == (status, code)
    assert_error(answer, headers, code, words)
    assert edge.gateway.asked == []
    assert edge.gateway.waiting == 0


@pytest.mark.parametrize("max_faces", ["-1", "x", "", "1.5", "9" * 30, "1&max_faces=2", "%C2%B2"])
async def test_max_faces_is_a_whole_number(edge: FakeEdge, max_faces: str) -> None:
    status, answer, headers = await edge.post(f"verify-face?max_faces={max_faces}", **UPLOADED)
    assert status == 422
    assert_error(answer, headers, "unfit_request", "max_faces")


ONES = [1.0] * 512
UNFIT_VECTORS: dict[str, tuple[Any, str]] = {
    "too few": ([1.0] * 511, "embedding_b"),
    "too many": ([1.0] * 513, "embedding_b"),
    "far too many": ([1] * 3000, "embedding_b"),
    "none": (None, "embedding_b"),
    "words": (["a"] * 512, "embedding_b.0"),
    "numbers as words": (["1"] * 512, "embedding_b.0"),
    "truths": ([True] * 512, "embedding_b.0"),
    "lists": ([[1.0]] * 512, "embedding_b.0"),
    "nulls": ([1.0] * 511 + [None], "embedding_b.511"),
    "all zero": ([0.0] * 512, "embedding_b: all values are zero"),
    "minus zero": ([-0.0] * 512, "embedding_b: all values are zero"),
}


@pytest.mark.parametrize("case", UNFIT_VECTORS)
async def test_what_is_no_embedding_is_named(edge: FakeEdge, case: str) -> None:
    vector, words = UNFIT_VECTORS[case]
    body = {"embedding_a": ONES, "embedding_b": vector}
    status, answer, headers = await edge.post("compare-faces", json=body)
    assert status == 422
    assert_error(answer, headers, "unfit_request", words)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"embedding_a": [NaN]}', "not_json"),
        (b'{"embedding_a": [1e999]}', "not_json"),
        (b'{"embedding_a": [-Infinity]}', "not_json"),
        (b'{"embedding_a": ' + b"9" * 400 + b"}", "not_json"),
        (b'{"embedding_a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "not_json"),
        (b'{"embedding_a": [' + b"1," * 9000 + b"1]}", "unfit_request"),
        (b'"\xff"', "not_json"),
        (b"{}", "unfit_request"),
    ],
)
async def test_numbers_that_are_none_are_refused_quickly(
    edge: FakeEdge, body: bytes, code: str
) -> None:
    async with asyncio.timeout(1):
        status, answer, headers = await edge.post("compare-faces", **typed(JSON, body))
    assert status == 422
    assert_error(answer, headers, code)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"images": []}, "images"),
        ({"images": ["a"] * 51}, "images"),
        ({"images": TEXT}, "images"),
        ({"images": [TEXT, 7]}, "images.1"),
        ({}, "images"),
    ],
)
async def test_a_batch_is_one_to_fifty_texts(edge: FakeEdge, body: Any, words: str) -> None:
    status, answer, headers = await edge.post("batch-extract", json=body)
    assert status == 422
    assert_error(answer, headers, "unfit_request", words)


async def test_json_routes_take_json_alone(edge: FakeEdge) -> None:
    body = orjson.dumps({"images": [TEXT]})
    assert (await edge.post("batch-extract", **typed("text/plain", body)))[0] == 422
    assert (await edge.post("batch-extract", **typed("application/octet-stream", body)))[0] == 200
    status, answer, headers = await edge.post("batch-extract", json={"images": ["A" * 20_000]})
    assert status == 413
    assert_error(answer, headers, "body_too_large")


async def test_a_body_of_unknown_length_is_limited_as_it_comes(edge: FakeEdge) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(10_000):
            yield bytes(1000)

    status, answer, headers = await edge.post("verify-face", **typed("image/png", endless()))  # type: ignore[arg-type]  # a stream
    assert status == 413
    assert_error(answer, headers, "image_too_large")


async def test_a_body_that_is_compressed_to_deceive_is_limited_as_it_unfolds(
    tmp_path: Path,
) -> None:
    bomb = gzip.compress(PNG + bytes(50_000_000))
    how = typed("image/png", bomb)
    how["headers"]["Content-Encoding"] = "gzip"
    async with fake_edge(tmp_path, ok(), max_image_bytes=1_000_000) as edge:
        status, answer, headers = await edge.post("verify-face", **how)
        received = edge.metrics.registry.get_sample_value("facestream_edge_upload_bytes_total")
    assert status == 413
    assert_error(answer, headers, "image_too_large")
    assert received is not None
    assert received < 3_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_whose_compression_is_damaged_is_refused(
    edge: FakeEdge, encoding: str
) -> None:
    how = typed("image/png", b"not compressed at all")
    how["headers"]["Content-Encoding"] = encoding
    status, answer, headers = await edge.post("verify-face", **how)
    assert status in (400, 415)
    assert_error(answer, headers, "broken_body" if status == 400 else "not_an_image")
