"""`file://` addresses and folders made to lead a worker out of what it may read, or to hold it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import ImageError
from schemas.requests import ImageRef
from stream.image_settings import ImageSettings
from stream.images import ImageReader
from stream.io.blobs import BlobSettings, BlobStore

IMAGE = b"an image"
SECRET = b"a secret"
RACES = 2000


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The allowed folder, beside what is not."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(IMAGE)
    (folder / "deep" / "a.jpg").write_bytes(IMAGE)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.jpg").write_bytes(SECRET)
    return folder


@pytest.fixture
async def reader(photos: Path) -> AsyncIterator[ImageReader]:
    """Of this folder alone."""
    blobs = BlobStore(BlobSettings(blob_store_url=str(photos.parent / "blobs")))
    settings = ImageSettings(image_sources=f"{photos.as_uri()}/", fetch_timeout_s=5)
    async with ImageReader(settings, blobs) as running:
        yield running


async def code_of(reader: ImageReader, uri: str) -> str:
    with pytest.raises(ImageError) as caught:
        await reader.fetch(ImageRef(uri=uri))
    return caught.value.code


#: {at}: the allowed folder, {up}: the one above it
OUTSIDE = (
    "file://{at}/../secret",
    "file://{at}/deep/../../secret",
    "file://{at}/%2e%2e/secret",
    "file://{at}/%2E%2E%2Fsecret",
    "file://{at}/..%2fsecret",
    "file://{at}/.%2e/secret",
    "file://{at}/./../secret",
    "file://{at}//../secret",
    "file://{at}/deep/%2e%2e/%2e%2e/secrets/a.jpg",
    "file://{at}/../photos/../secret",
    "file://{at}/missing/../../secret",
    "file://{at}/a.jpg/../../secret",
    "file://{at}/a.jpg%00/../../secret",
    "file://{at}/%00",
    "file://{at}%00/../secret",
    "file://{at}/..",
    "file://{at}s/a.jpg",
    "file://{at}../secret",
    "file://{up}/secret",
    "file://{up}/secrets/a.jpg",
    "file://localhost{up}/secret",
    "file:////{up}/secret",
    "file://{at}/../../../../../../../../../../../../etc/passwd",
    "file:///etc/passwd",
    "file:////etc/passwd",
    "file:///%65tc/passwd",
    "file:///%2fetc/passwd",
    "file:///./etc/passwd",
    "file:///proc/self/environ",
    "file:///proc/self/root{up}/secret",
    "file:///proc/self/cwd",
    "file:///proc/self/fd/0",
    "file:///dev/stdin",
    "file:///dev/zero",
    "file:///dev/fd/0",
    "file:///",
    "file://",
    "file:",
    "file:{up}/secret",
    "file:/{up}/secret",
    "file://{at}\\..\\secret/../../secret",
    "file://127.0.0.1{at}/a.jpg",
    "file://evil.test{at}/a.jpg",
    "file://user:secret@localhost{at}/a.jpg",
    "file://{at}/a.jpg?/../../secret/../../../secret/..",
    "file://{at}#/a.jpg/../../secret",
    "{up}/secret",
    "../secret",
    "~/secret",
)


@pytest.mark.parametrize("uri", OUTSIDE)
async def test_no_address_leads_out_of_the_folder(
    reader: ImageReader, photos: Path, uri: str
) -> None:
    address = uri.format(at=photos, up=photos.parent)
    if "?" in address or "#" in address:
        # What a URI says behind these marks is no path: what is before them is read, or is none.
        assert await _read_or_code(reader, address) in (IMAGE, "image_not_found")
    else:
        assert await code_of(reader, address) == "image_forbidden"


@pytest.mark.parametrize(
    "name", ["%252e%252e/secret", "%252e%252e%252fsecret", "%u002e%u002e/secret", "..%c0%afsecret"]
)
async def test_what_is_encoded_twice_or_wrongly_is_a_name_like_any(
    reader: ImageReader, photos: Path, name: str
) -> None:
    assert await code_of(reader, f"file://{photos}/{name}") == "image_not_found"


async def test_links_lead_nowhere_outside(reader: ImageReader, photos: Path) -> None:
    links = {
        "file.jpg": photos.parent / "secret",
        "folder": photos.parent / "secrets",
        "root": Path("/"),
        "process": Path("/proc/self/root"),
        "descriptors": Path("/proc/self/fd"),
        "up": Path(".."),
        "chain": photos / "file.jpg",
    }
    for name, target in links.items():
        (photos / name).symlink_to(target)
    outside = str(photos.parent / "secret").lstrip("/")
    for name in (
        "file.jpg",
        "folder/a.jpg",
        f"root/{outside}",
        f"process/{outside}",
        "descriptors/0",
        "up/secret",
        "deep/../up/secret",
        "chain",
    ):
        assert await code_of(reader, f"file://{photos}/{name}") == "image_forbidden", name


@pytest.mark.parametrize("part", ["file", "folder"])
async def test_a_link_that_comes_and_goes_never_gives_what_is_outside(
    reader: ImageReader, photos: Path, part: str
) -> None:
    """A writer swaps it as fast as it can, between the reader's look and its opening."""
    inside, outside = (
        (photos / "a.jpg", photos.parent / "secret")
        if part == "file"
        else (photos / "deep", photos.parent / "secrets")
    )
    link, uri = photos / "link", f"file://{photos}/link{'' if part == 'file' else '/a.jpg'}"
    stopping = threading.Event()

    def swap() -> None:
        while not stopping.is_set():
            for target in (inside, outside):
                (photos / "next").symlink_to(target)
                (photos / "next").rename(link)

    link.symlink_to(inside)
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        outcomes = [await _read_or_code(reader, uri) for _ in range(RACES)]
    finally:
        stopping.set()
        swapping.join()
    assert set(outcomes) <= {IMAGE, "image_forbidden", "image_not_found"}
    assert {IMAGE, "image_forbidden"} <= set(outcomes), "the writer was never in between"


@pytest.mark.timeout(20)
async def test_what_is_no_file_holds_nobody_up(
    reader: ImageReader, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(photos / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(photos)  # the path of a socket may not be long
        listener.bind("socket.jpg")
        for name in ("pipe.jpg", "socket.jpg", "deep", "deep/", "", "a.jpg/x"):
            assert await code_of(reader, f"file://{photos}/{name}") == "image_not_found", name
        assert await reader.fetch(ImageRef(uri=(photos / "a.jpg").as_uri())) == IMAGE


@pytest.mark.timeout(20)
async def test_devices_and_what_the_kernel_makes_up_give_nothing_even_where_all_is_allowed(
    photos: Path,
) -> None:
    blobs = BlobStore(BlobSettings(blob_store_url=str(photos.parent / "blobs")))
    async with ImageReader(ImageSettings(image_sources="file:///"), blobs) as everywhere:
        for device in ("zero", "null", "random", "full", "tty"):
            code = await code_of(everywhere, f"file:///dev/{device}")
            assert code in ("image_not_found", "image_forbidden"), device
        for made_up in ("self/environ", "self/cmdline", "self/maps", "version"):
            assert await _read_or_code(everywhere, f"file:///proc/{made_up}") == b"", made_up


async def _read_or_code(reader: ImageReader, uri: str) -> bytes | str:
    try:
        return await reader.fetch(ImageRef(uri=uri))
    except ImageError as error:
        return error.code
