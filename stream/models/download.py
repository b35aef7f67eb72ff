"""Weights from the network: under a temporary name, checked, and only then in their place."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from rich.progress import Progress

# insightface/utils/storage.py; a constant, since importing insightface takes seconds
INSIGHTFACE_RELEASES = "https://github.com/deepinsight/insightface/releases/download/model-zoo/"
CONNECT_TIMEOUT_S = 20
_CHUNK_BYTES = 1 << 18

OFFICIAL_SHA256 = {
    "1k3d68.onnx": "df5c06b8a0c12e422b2ed8947b8869faa4105387f199c477af038aa01f9a45cc",
    "2d106det.onnx": "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf",
    "det_10g.onnx": "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
    "det_500m.onnx": "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
    "genderage.onnx": "4fde69b1c810857b88c64a335084f1c3fe8f01246c9a191b48c7bb756d6652fb",
    "liveness.onnx": "87a9ac1dbb16a61eec212957e5095e62a8769c1e188af9b0198f253302c4afdb",
    "w600k_mbf.onnx": "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    "w600k_r50.onnx": "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
}
"""The files of InsightFace's buffalo packs and addons, by name: the same wherever they are."""


class PackUnavailable(Exception):
    """Weights are neither here nor to be had. `str()` is one sentence for whoever starts it."""


def pack(name: str, target: Path) -> None:
    """Download InsightFace's pack `name` into the folder `target`, once.

    Processes that ask at the same time wait for the one that downloads. Raises
    `PackUnavailable` when there is no network, or what came is not whole.
    """
    with _alone(target):
        if target.is_dir():
            return
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
            archive = Path(scratch) / f"{name}.zip"
            _fetch(INSIGHTFACE_RELEASES + archive.name, archive)
            unpacked = Path(scratch) / name
            unpack(archive, unpacked)
            unpacked.rename(target)


def file(urls: list[str], target: Path) -> None:
    """Download one file from the first of `urls` that has it. Raises `PackUnavailable`, also where
    it bears an official name with other bytes."""
    with _alone(target):
        if target.is_file():
            return
        with tempfile.TemporaryDirectory(prefix=".weights-", dir=target.parent) as scratch:
            part = Path(scratch) / target.name
            for number, url in enumerate(urls, start=1):
                try:
                    _fetch(url, part)
                except PackUnavailable:
                    if number == len(urls):
                        raise
                else:
                    break
            _check(part)
            part.rename(target)


def unpack(archive: Path, into: Path) -> None:
    """The archive's `.onnx` files, flat, into the new folder `into`, each checked.

    Raises `PackUnavailable` for an archive that is cut off or holds none, and for a file that
    bears an official name with other bytes.
    """
    into.mkdir()
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [info for info in zipped.infolist() if info.filename.endswith(".onnx")]
            for info in members:
                path = into / Path(info.filename).name  # flat: a member's own path is not trusted
                with zipped.open(info) as source, path.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK_BYTES)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise PackUnavailable(f"{archive.name} is damaged: {error}") from error
    if not members:
        raise PackUnavailable(f"{archive.name} holds no .onnx file")
    for path in sorted(into.iterdir()):
        _check(path)


def _check(path: Path) -> None:
    official = OFFICIAL_SHA256.get(path.name)
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if official is not None and actual != official:
        raise PackUnavailable(
            f"{path.name} has the SHA-256 {actual[:16]}…, not the official {official[:16]}…"
        )


def _fetch(url: str, path: Path) -> None:
    """Raises `PackUnavailable` for no network, no such file, or fewer bytes than announced."""
    try:
        with (
            urlopen(url, timeout=CONNECT_TIMEOUT_S) as response,  # noqa: S310  # https constants
            path.open("wb") as sink,
            _progress() as progress,
        ):
            announced = response.headers.get("Content-Length")
            total = int(announced) if announced else None
            task = progress.add_task(path.name, total=total)
            while chunk := response.read(_CHUNK_BYTES):
                sink.write(chunk)
                progress.advance(task, len(chunk))
    except URLError as error:
        raise PackUnavailable(f"{url}: {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise PackUnavailable(f"{url}: {error}") from error
    if total is not None and path.stat().st_size != total:
        raise PackUnavailable(f"{url}: {path.stat().st_size} of {total} bytes came")


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One process at a time. Raises `PackUnavailable` where the folder cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = (target.parent / f".{target.name}.lock").open("w")
    except OSError as error:
        raise PackUnavailable(f"{target.parent} cannot be written: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
