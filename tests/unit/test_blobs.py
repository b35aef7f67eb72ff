"""The blob store keeps what was put, gives it back, and forgets it by age."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import GenericError
from pydantic import ValidationError

from schemas.errors import ImageForbidden, ImageNotFound, ImageTooLarge, ImageUnavailable
from stream.io.blobs import BlobSettings, BlobStore, BlobStoreFull, BlobStoreUnavailable, Lane

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some blobs"


@pytest.fixture
def blobs(folder: Path) -> BlobStore:
    settings = BlobSettings(blob_store_url=str(folder), blob_ttl_s=60, blob_publish_ttl_s=600)
    return BlobStore(settings)


def path_of(uri: str, folder: Path) -> Path:
    return folder / "/".join(uri.rsplit("/", 2)[1:])


def age(path: Path, seconds: float) -> None:
    at = (NOW - timedelta(seconds=seconds)).timestamp()
    os.utime(path, (at, at))


async def test_what_is_put_can_be_got_by_every_process_that_names_the_folder(
    blobs: BlobStore, folder: Path
) -> None:
    uri = await blobs.put(b"image", lane="requests", suffix=".jpg")
    assert uri.startswith(f"{folder.as_uri()}/requests/")
    other = BlobStore(BlobSettings(blob_store_url=folder.as_uri()))
    assert other.owns(uri)
    assert await other.get(uri, 5) == b"image"
    assert path_of(uri, folder).read_bytes() == b"image"


async def test_names_are_not_guessable_and_not_shared(blobs: BlobStore) -> None:
    uris = {await blobs.put(b"", lane="images") for _ in range(20)}
    assert len({uri.rpartition("/")[2] for uri in uris}) == 20
    assert all(len(uri.rpartition("/")[2]) == 32 for uri in uris)


async def test_a_blob_above_the_limit_is_not_read(blobs: BlobStore) -> None:
    uri = await blobs.put(bytes(100), lane="requests")
    assert len(await blobs.get(uri, 100)) == 100
    with pytest.raises(ImageTooLarge):
        await blobs.get(uri, 99)


async def test_only_names_that_put_could_have_made_are_read(blobs: BlobStore, folder: Path) -> None:
    uri = await blobs.put(b"image", lane="requests", suffix=".jpg")
    (folder.parent / "secret").write_bytes(b"secret")
    base, name = folder.as_uri(), uri.rpartition("/")[2]
    for other in (
        f"{base}/../secret",
        f"{base}/requests/../../secret",
        f"{base}/requests/%2e%2e/%2e%2e/secret",
        f"{base}/requests//{name}",
        f"{base}/requests/./{name}",
        f"{base}/other/{name}",
        f"{base}/requests/{name}?x",
        f"{base}/requests/{name}#x",
        f"{base}/requests/{name}\n",
        f"{base}/requests/{name}/x",
        f"{base}/requests/{name.upper()}",
        f"{base}2/requests/{name}",
        f"s3://bucket/requests/{name}",
        f"file://{folder}/requests/{name}",
        str(folder / "requests" / name),
        base,
        "",
    ):
        assert not blobs.owns(other)
        with pytest.raises(ImageForbidden):
            await blobs.get(other, 100)


async def test_a_blob_or_a_store_that_is_not_there_is_said_so(
    blobs: BlobStore, folder: Path, tmp_path: Path
) -> None:
    uri = await blobs.put(b"", lane="requests")
    path_of(uri, folder).unlink()
    with pytest.raises(ImageNotFound):
        await blobs.get(uri, 10)
    (tmp_path / "file").write_bytes(b"")
    broken = BlobStore(BlobSettings(blob_store_url=str(tmp_path / "file")))
    with pytest.raises(ImageUnavailable):
        await broken.get(f"{(tmp_path / 'file').as_uri()}/requests/{'0' * 32}", 10)
    with pytest.raises(BlobStoreUnavailable):
        await broken.put(b"image", lane="requests")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Unable to copy data to file: No space left on device (os error 28)", BlobStoreFull),
        ("Unable to copy data to file: Disk quota exceeded (os error 122)", BlobStoreFull),
        ("Server returned status code: 507 Insufficient Storage", BlobStoreFull),
        ("Permission denied (os error 13)", BlobStoreUnavailable),
        ("Server returned status code: 503", BlobStoreUnavailable),
    ],
)
async def test_a_full_store_is_told_from_one_that_is_away(
    blobs: BlobStore, text: str, error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise GenericError(text)

    monkeypatch.setattr(obstore, "put_async", fail)
    with pytest.raises(error) as caught:
        await blobs.put(b"image", lane="requests")
    assert type(caught.value) is error


async def test_blobs_are_removed_by_the_age_of_their_lane(blobs: BlobStore, folder: Path) -> None:
    kept: list[Path] = []
    removed: list[Path] = []
    cases: list[tuple[Lane, float, bool]] = [
        ("requests", 59, True),
        ("requests", 61, False),
        ("images", 599, True),
        ("images", 601, False),
    ]
    for lane, seconds, stays in cases:
        uri = await blobs.put(b"image", lane=lane, suffix=".jpg")
        age(path_of(uri, folder), seconds)
        (kept if stays else removed).append(path_of(uri, folder))
    assert await blobs.sweep(NOW) == 2
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in removed)
    assert await blobs.sweep(NOW) == 0


async def test_a_sweep_removes_what_was_left_half_written_and_nothing_of_others(
    blobs: BlobStore, folder: Path
) -> None:
    (folder / "requests").mkdir(parents=True)
    half, young, foreign = (
        folder / "requests" / name
        for name in (f"{'0' * 32}.jpg#1", f"{'1' * 32}.jpg#1", "mine.txt")
    )
    for path, seconds in ((half, 100), (young, 1), (foreign, 10_000)):
        path.write_bytes(b"")
        age(path, seconds)
    await blobs.sweep(NOW)
    assert (half.exists(), young.exists(), foreign.exists()) == (False, True, True)


async def test_two_sweeps_at_once_do_not_trip_over_each_other(
    blobs: BlobStore, folder: Path
) -> None:
    paths = [path_of(await blobs.put(b"", lane="requests"), folder) for _ in range(5)]
    for path in paths:
        age(path, 100)
    names = [f"requests/{path.name}" for path in paths]
    paths[0].unlink()
    await blobs._remove(names)
    assert not any(path.exists() for path in paths)


async def test_a_store_that_was_never_used_is_swept_without_being_made(
    blobs: BlobStore, folder: Path
) -> None:
    assert await blobs.sweep(NOW) == 0
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("suffix", ["jpg", "/../x", ".", ".JPG", ".toolong"])
async def test_a_suffix_is_a_suffix(blobs: BlobStore, suffix: str) -> None:
    with pytest.raises(ValueError, match="suffix"):
        await blobs.put(b"", lane="requests", suffix=suffix)


@pytest.mark.parametrize(
    "url", ["ftp://h/", "s3://", "file://host/blobs", "memory:///", "s3://a:b@c/"]
)
def test_a_url_that_is_no_store_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        BlobSettings(blob_store_url=url)
