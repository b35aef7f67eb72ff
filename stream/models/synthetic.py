"""A pack without weights: tiny graphs with the inputs, outputs and file names' roles of a real one.

They are loaded and run by the same code as the real pack and depend on the pixels: the same image
gives the same numbers, another image others. They recognise nobody: one "face" is found in the
middle of every picture that is not flat.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from stream.models.download import PackUnavailable

VERSION = 2
"""Changes with the graphs, so that a cache never holds old ones."""
EMOTION_FILE = "emotion.onnx"  # InsightFace's router does not know its shape and leaves it alone
LIVENESS_FILE = "liveness.onnx"  # likewise


def ensure(cache: Path | None = None) -> Path:
    """The pack's folder, written once into `cache` (default: the user's cache folder).

    Processes that write at the same time do not disturb each other. Raises `PackUnavailable` where
    the folder cannot be written.
    """
    from platformdirs import user_cache_path

    folder = (cache or user_cache_path("facestream")) / f"synthetic-{VERSION}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".synthetic-", dir=folder.parent))
        try:
            write(scratch)
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise PackUnavailable(
            f"The synthetic pack cannot be written to {folder.parent} ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    return folder


def write(folder: Path) -> None:
    """The pack's files into `folder`."""
    from stream.models import synthetic_graphs

    graphs: dict[str, Callable[[Path], None]] = {
        "1k3d68.onnx": synthetic_graphs.landmarks_3d,
        "2d106det.onnx": synthetic_graphs.landmarks_106,
        "det_synthetic.onnx": synthetic_graphs.detector,
        "genderage.onnx": synthetic_graphs.genderage,
        "rec_synthetic.onnx": synthetic_graphs.recognizer,
        EMOTION_FILE: synthetic_graphs.emotion,
        LIVENESS_FILE: synthetic_graphs.liveness,
    }
    for name, build in graphs.items():
        build(folder / name)
