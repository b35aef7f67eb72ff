"""`file://` reads regular files below the allowed folders, and nothing by way of them."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from schemas.errors import ImageForbidden, ImageNotFound, ImageTooLarge
from stream.io.files import read_file
from stream.io.sources import read_file_uri

LIMIT = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with a file, beside a secret."""
    allowed = tmp_path / "photos"
    (allowed / "deep").mkdir(parents=True)
    (allowed / "a b.jpg").write_bytes(b"image")
    (allowed / "deep" / "ü.jpg").write_bytes(b"deep image")
    (tmp_path / "photos2").mkdir()
    (tmp_path / "photos2" / "a.jpg").write_bytes(b"secret")
    (tmp_path / "secret").write_bytes(b"secret")
    return allowed


def read(uri: str, *folders: Path) -> bytes:
    return read_file(
        read_file_uri(uri), [str(folder) for folder in folders], shown=uri, max_bytes=LIMIT
    )


def test_a_file_below_an_allowed_folder_is_read(root: Path) -> None:
    assert read((root / "a b.jpg").as_uri(), root) == b"image"
    assert read((root / "deep" / "ü.jpg").as_uri(), root) == b"deep image"
    assert read(f"file://{root}/a b.jpg", root) == b"image"
    assert read(f"file://{root}/deep/../a%20b.jpg", root) == b"image"


def test_a_single_file_may_be_allowed(root: Path) -> None:
    assert read((root / "a b.jpg").as_uri(), root / "a b.jpg") == b"image"
    with pytest.raises(ImageForbidden):
        read((root / "deep" / "ü.jpg").as_uri(), root / "a b.jpg")


@pytest.mark.parametrize(
    "tail",
    [
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "deep/../../secret",
        "../photos2/a.jpg",
        "../photos/../secret",
        "../does-not-exist",
        "..",
        "/../../../../../../../../etc/passwd",
    ],
)
def test_dots_do_not_lead_out(root: Path, tail: str) -> None:
    with pytest.raises(ImageForbidden):
        read(f"file://{root}/{tail}", root)


def test_without_a_folder_nothing_is_read(root: Path) -> None:
    with pytest.raises(ImageForbidden):
        read((root / "a b.jpg").as_uri())


def test_links_lead_nowhere_outside(root: Path) -> None:
    (root / "out.jpg").symlink_to(root.parent / "secret")
    (root / "relative.jpg").symlink_to("../secret")
    (root / "folder").symlink_to(root.parent / "photos2")
    (root / "chain.jpg").symlink_to(root / "out.jpg")
    for name in ("out.jpg", "relative.jpg", "folder/a.jpg", "chain.jpg"):
        with pytest.raises(ImageForbidden):
            read(f"file://{root}/{name}", root)


def test_links_within_an_allowed_folder_and_to_another_are_followed(root: Path) -> None:
    (root / "in.jpg").symlink_to(root / "a b.jpg")
    (root / "other.jpg").symlink_to(root.parent / "photos2" / "a.jpg")
    assert read(f"file://{root}/in.jpg", root) == b"image"
    assert read(f"file://{root}/other.jpg", root, root.parent / "photos2") == b"secret"


def test_an_allowed_folder_may_itself_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert read(f"file://{link}/a%20b.jpg", link) == b"image"
    assert read(f"file://{root}/a%20b.jpg", link) == b"image"


def test_a_link_that_is_put_there_after_the_check_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, judged = os.readlink, (root / "deep" / "ü.jpg").read_bytes()

    def then_swap(path: str) -> str:
        real = honest(path)
        (root / "deep").rename(root / "moved")
        (root / "deep").symlink_to(root.parent / "photos2")
        (root.parent / "photos2" / "ü.jpg").write_bytes(b"secret")
        return real

    monkeypatch.setattr(os, "readlink", then_swap)
    assert read(f"file://{root}/deep/ü.jpg", root) == judged != b"secret"


def test_a_loop_of_links_and_a_missing_file_are_not_found(root: Path) -> None:
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    for name in ("loop.jpg", "missing.jpg", "missing/a.jpg", "a b.jpg/x", "x" * 300):
        with pytest.raises(ImageNotFound):
            read(f"file://{root}/{name}", root)


@pytest.mark.timeout(5)
def test_what_is_no_regular_file_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        for name in ("pipe.jpg", "deep", "", "s"):
            with pytest.raises(ImageNotFound):
                read(f"file://{root}/{name}", root)


def test_devices_are_not_read() -> None:
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(ImageNotFound):
            read(f"file://{device}", Path("/dev"))


def test_a_file_at_the_limit_is_read_and_one_above_it_is_not(root: Path) -> None:
    (root / "big.jpg").write_bytes(bytes(LIMIT))
    assert len(read(f"file://{root}/big.jpg", root)) == LIMIT
    (root / "big.jpg").write_bytes(bytes(LIMIT + 1))
    with pytest.raises(ImageTooLarge):
        read(f"file://{root}/big.jpg", root)


def test_a_file_that_grows_while_it_is_read_is_stopped_at_the_limit(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = os.fstat

    def then_grow(descriptor: int) -> os.stat_result:
        status = honest(descriptor)
        (root / "a b.jpg").write_bytes(bytes(LIMIT + 1))
        return status

    monkeypatch.setattr(os, "fstat", then_grow)
    with pytest.raises(ImageTooLarge):
        read(f"file://{root}/a b.jpg", root)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by /proc")
def test_no_descriptor_is_left_open(root: Path) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for name in ("a b.jpg", "deep", "missing.jpg", "../secret"):
        with contextlib.suppress(ImageForbidden, ImageNotFound):
            read(f"file://{root}/{name}", root)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before
