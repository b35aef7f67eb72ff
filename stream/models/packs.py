"""Where a pack of models is, and what its files are called in a result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from stream.models import download, synthetic
from stream.models.download import PackUnavailable
from stream.models.settings import SYNTHETIC, ModelSettings

_PROJECT = Path(__file__).resolve().parents[2]
SHARED_MODELS = _PROJECT.parent / "shared" / "models"
"""Weights that lie beside the checkout, for development and tests."""


def insightface_home() -> Path:
    """InsightFace's own root."""
    return Path.home() / ".insightface"


def folders(model_root: Path | None) -> Iterator[Path]:
    """The folders that hold packs, `<pack>/*.onnx`, in the order in which they are asked."""
    if model_root is not None:
        yield model_root.expanduser() / "models"
        yield model_root.expanduser()
    yield SHARED_MODELS / "insightface" / "models"
    yield insightface_home() / "models"


def find(pack: str, model_root: Path | None) -> Path | None:
    """The pack's folder, if it is on this machine."""
    for folder in folders(model_root):
        path = folder / pack
        if path.is_dir() and any(path.glob("*.onnx")):
            return path
    return None


def ensure(settings: ModelSettings) -> Path:
    """The pack's folder: found, written (`synthetic`), or else downloaded once and checked.

    Raises `PackUnavailable`, whose one sentence names the ways out.
    """
    pack = settings.model_pack
    if pack == SYNTHETIC:
        return synthetic.ensure()
    found = find(pack, settings.model_root)
    if found is not None:
        return found
    target = insightface_home() / "models" / pack
    try:
        download.pack(pack, target)
    except PackUnavailable as error:
        raise PackUnavailable(
            f"The model pack {pack} is not on this machine and could not be downloaded "
            f"({error}): set MODEL_ROOT to a folder that holds models/{pack}, or copy the pack "
            f"to {target}, or set MODEL_PACK=synthetic to try the stream without weights."
        ) from error
    return target


def sha256(path: Path) -> str:
    """Of the file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(path: Path) -> str:
    """`stem@first8`, such as `det_10g@5838f7fe`: what a result says computed it."""
    return f"{path.stem}@{sha256(path)[:8]}"
