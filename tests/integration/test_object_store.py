"""Objects and blobs through S3's own protocol, served by moto over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import (
    FetchTimeout,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnavailable,
)
from schemas.requests import ImageRef
from stream.image_settings import ImageSettings
from stream.images import ImageReader
from stream.io.blobs import BlobSettings, BlobStore, BlobStoreUnavailable
from tests.raw_server import raw_server
from tests.s3 import S3, environment_of

LIMIT = 3_000_000
DATED = b"Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3("photos", "store") as server:
        yield server


@pytest.fixture(autouse=True)
def _environment(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    _point_at(s3.url, monkeypatch)


def _point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(url).items():
        monkeypatch.setenv(name, value)


def reading(**settings: object) -> ImageReader:
    limits = {"image_sources": "s3://photos/faces/", "max_image_bytes": LIMIT, **settings}
    blobs = BlobStore(BlobSettings(blob_store_url="s3://store/claims"))
    return ImageReader(ImageSettings.model_validate(limits), blobs)


async def test_an_object_is_read_by_its_key_as_it_stands(s3: S3) -> None:
    s3.put("photos", "faces/a.jpg", b"image")
    s3.put("photos", "faces/a%20b%2520%231.jpg", b"odd name")
    async with reading() as reader:
        assert await reader.fetch(ImageRef(uri="s3://photos/faces/a.jpg")) == b"image"
        assert await reader.fetch(ImageRef(uri="s3://photos/faces/a b%20#1.jpg")) == b"odd name"


async def test_objects_beside_the_prefix_are_forbidden_and_absent_ones_not_found(
    s3: S3,
) -> None:
    s3.put("photos", "secret.jpg", b"secret")
    async with reading() as reader:
        for uri in ("s3://photos/secret.jpg", "s3://photos/faces/../secret.jpg", "s3://store/a"):
            with pytest.raises(ImageForbidden):
                await reader.fetch(ImageRef(uri=uri))
        with pytest.raises(ImageNotFound):
            await reader.fetch(ImageRef(uri="s3://photos/faces/none.jpg"))
    async with reading(image_sources="s3://no-such-bucket/") as reader:
        with pytest.raises(ImageNotFound):
            await reader.fetch(ImageRef(uri="s3://no-such-bucket/a.jpg"))


async def test_an_object_at_the_limit_is_read_and_one_above_it_is_not(s3: S3) -> None:
    s3.put("photos", "faces/exact", bytes(LIMIT))
    s3.put("photos", "faces/above", bytes(LIMIT + 1))
    async with reading() as reader:
        assert len(await reader.fetch(ImageRef(uri="s3://photos/faces/exact"))) == LIMIT
        with pytest.raises(ImageTooLarge, match=str(LIMIT + 1)):
            await reader.fetch(ImageRef(uri="s3://photos/faces/above"))


async def test_blobs_travel_through_the_bucket_and_are_swept_by_age(s3: S3) -> None:
    settings = BlobSettings(blob_store_url="s3://store/claims", blob_ttl_s=60)
    async with BlobStore(settings) as blobs, reading() as reader:
        short = await blobs.put(b"interactive", lane="requests", suffix=".jpg")
        long = await blobs.put(b"bulk", lane="images")
        assert short.startswith("s3://store/claims/requests/")
        assert await reader.fetch(ImageRef(uri=short)) == b"interactive"
        assert reader.origin(ImageRef(uri=short)) == "blob"
        now = datetime.now(UTC)
        assert await blobs.sweep(now) == 0
        assert await blobs.sweep(now + timedelta(seconds=120)) == 1
        with pytest.raises(ImageNotFound):
            await reader.fetch(ImageRef(uri=short))
        assert await reader.fetch(ImageRef(uri=long)) == b"bulk"


@pytest.mark.parametrize(
    ("head", "length"), [(b"Content-Length: 100\r\n", 100), (b"Transfer-Encoding: chunked\r\n", 0)]
)
async def test_a_store_that_sends_more_than_it_says_is_not_listened_to(
    head: bytes, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + DATED + b"\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()

    async with raw_server(serve) as at:
        _point_at(at, monkeypatch)
        async with reading(fetch_timeout_s=1.0) as reader:
            if length:
                data = await reader.fetch(ImageRef(uri="s3://photos/faces/a.jpg"))
                assert len(data) == length
            else:
                with pytest.raises(ImageUnavailable):
                    await reader.fetch(ImageRef(uri="s3://photos/faces/a.jpg"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ImageForbidden),
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", ImageUnavailable),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n" + DATED + b"\r\n",
            ImageTooLarge,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n" + DATED + b"\r\nfew",
            FetchTimeout,
        ),
        (b"", FetchTimeout),
    ],
)
async def test_a_store_that_misbehaves_fails_in_time_and_by_name(
    answer: bytes, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)
            await writer.drain()

    async with raw_server(serve) as at:
        _point_at(at, monkeypatch)
        async with reading(fetch_timeout_s=1.0) as reader:
            with pytest.raises(error) as caught:
                await reader.fetch(ImageRef(uri="s3://photos/faces/a.jpg"))
    assert type(caught.value) is error


async def test_a_store_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    _point_at("http://127.0.0.1:1", monkeypatch)
    async with reading() as reader:
        with pytest.raises(ImageUnavailable) as caught:
            await reader.fetch(ImageRef(uri="s3://photos/faces/a.jpg"))
    assert caught.value.retryable
    with pytest.raises(BlobStoreUnavailable):
        await BlobStore(BlobSettings(blob_store_url="s3://store/x")).put(b"", lane="requests")
