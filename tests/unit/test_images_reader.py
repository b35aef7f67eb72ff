"""A reference leads to bytes by one way in, whatever kind it is."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import (
    FetchTimeout,
    HashMismatch,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    NotAnImage,
)
from schemas.requests import ImageRef
from stream.image_settings import ImageSettings
from stream.images import ImageReader, check_sha256
from stream.io import files
from stream.io.blobs import BlobSettings, BlobStore

DATA = b"image bytes"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(BlobSettings(blob_store_url=str(tmp_path / "blobs")))


def inline(data: bytes) -> ImageRef:
    return ImageRef(data=base64.b64encode(data).decode())


async def test_inline_data_is_decoded_and_held_to_the_limit(blobs: BlobStore) -> None:
    async with ImageReader(ImageSettings(max_image_bytes=len(DATA)), blobs) as reader:
        assert await reader.fetch(inline(DATA)) == DATA
        with pytest.raises(ImageTooLarge):
            await reader.fetch(inline(DATA + b"x"))
        with pytest.raises(NotAnImage):
            await reader.fetch(ImageRef(data="no base64!"))


async def test_by_default_only_inline_data_and_blobs_are_read(
    blobs: BlobStore, tmp_path: Path
) -> None:
    outside = tmp_path / "a.jpg"
    outside.write_bytes(DATA)
    async with ImageReader(ImageSettings(), blobs) as reader:
        uri = await blobs.put(DATA, lane="requests", suffix=".jpg")
        assert await reader.fetch(ImageRef(uri=uri)) == DATA
        for refused in (
            outside.as_uri(),
            f"{(tmp_path / 'blobs').as_uri()}/requests/other.jpg",
            "http://localhost/a.jpg",
            "s3://bucket/a.jpg",
            "ftp://h/a",
            "nonsense",
            "\x00",
        ):
            with pytest.raises(ImageForbidden):
                await reader.fetch(ImageRef(uri=refused))


async def test_a_listed_folder_is_read(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(DATA)
    settings = ImageSettings(image_sources=f"file://{tmp_path}/", max_image_bytes=len(DATA))
    async with ImageReader(settings, blobs) as reader:
        assert await reader.fetch(ImageRef(uri=(tmp_path / "a b.jpg").as_uri())) == DATA
        with pytest.raises(ImageNotFound):
            await reader.fetch(ImageRef(uri=(tmp_path / "b.jpg").as_uri()))


async def test_a_file_that_hangs_is_left_when_its_time_is_over(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    released = threading.Event()
    monkeypatch.setattr(files, "read_file", lambda *_, **__: released.wait(10))
    settings = ImageSettings(image_sources=f"file://{tmp_path}/", fetch_timeout_s=0.05)
    try:
        async with ImageReader(settings, blobs) as reader:
            with pytest.raises(FetchTimeout):
                await reader.fetch(ImageRef(uri=f"file://{tmp_path}/a.jpg"))
            with pytest.raises(FetchTimeout):
                await reader.fetch(ImageRef(uri=await blobs.put(DATA, lane="images")))
    finally:
        released.set()


async def test_a_blob_that_is_gone_is_not_found(blobs: BlobStore) -> None:
    uri = await blobs.put(DATA, lane="requests")
    async with ImageReader(ImageSettings(), blobs) as reader:
        with pytest.raises(ImageNotFound):
            await reader.fetch(ImageRef(uri=uri[:-1] + ("0" if uri[-1] != "0" else "1")))


async def test_the_origin_is_what_fetching_competes_for(blobs: BlobStore) -> None:
    async with ImageReader(ImageSettings(), blobs) as reader:
        assert reader.origin(inline(DATA)) == "inline"
        assert reader.origin(ImageRef(uri=await blobs.put(DATA, lane="images"))) == "blob"
        for uri, origin in {
            "file:///data/a.jpg": "file",
            "s3://bucket/a/b.jpg": "s3://bucket",
            "GS://bucket/a": "gs://bucket",
            "https://H.example/a?b#c": "https://h.example:443",
            "http://h:8080/a": "http://h:8080",
            "http://[::1]/a": "http://[::1]:80",
            "http://user:secret@h/": "forbidden",
            "http://[::1/": "forbidden",
            "ftp://h/a": "forbidden",
            "\x00://": "forbidden",
        }.items():
            assert reader.origin(ImageRef(uri=uri)) == origin


def test_the_hash_is_always_told_and_checked_when_given() -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    assert check_sha256(DATA, ImageRef(uri="s3://b/k")) == digest
    assert check_sha256(DATA, ImageRef(uri="s3://b/k", sha256=digest)) == digest
    with pytest.raises(HashMismatch, match=digest):
        check_sha256(DATA, ImageRef(uri="s3://b/k", sha256="0" * 64))


def test_settings_come_from_the_environment_and_are_checked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGE_SOURCES", "https://*,s3://bucket/")
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "1000")
    settings = ImageSettings()
    assert (settings.image_sources, settings.max_image_pixels) == ("https://*,s3://bucket/", 1000)
    with pytest.raises(ValidationError, match="in IMAGE_SOURCES"):
        ImageSettings(image_sources="images.example.com")
    with pytest.raises(ValidationError):
        ImageSettings(max_image_bytes=0)
