"""InsightFace's liveness addon behind the protocol: a face before the camera, or a picture of one?

The addon does its own alignment and normalisation, so the numbers are those of
`FaceAnalysis(addons=["liveness"], liveness_mode="observe")`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.models import download
from stream.models.download import PackUnavailable
from stream.models.packs import SHARED_MODELS, insightface_home
from stream.models.sessions import session

if TYPE_CHECKING:  # whoever only asks where the addon is needs no NumPy
    from stream.models.protocols import Floats, Image

FILE = "liveness.onnx"
# insightface/addons/catalog.py; a constant, since importing insightface takes seconds
URL = "https://github.com/deepinsight/insightface-model-addons/releases/download/addons/" + FILE


def folders(model_root: Path | None) -> Iterator[Path]:
    """Where the addon may lie, in the order in which they are asked."""
    if model_root is not None:
        yield model_root.expanduser() / "addons"
    yield SHARED_MODELS / "insightface" / "addons"
    yield insightface_home() / "addons"


def find(model_root: Path | None) -> Path | None:
    """The addon's file, if it is on this machine."""
    found = (folder / FILE for folder in folders(model_root))
    return next((path for path in found if path.is_file()), None)


def ensure(model_root: Path | None) -> Path:
    """The addon's file: found, or else downloaded once and checked.

    Raises `PackUnavailable`, whose one sentence names the ways out.
    """
    found = find(model_root)
    if found is not None:
        return found
    target = insightface_home() / "addons" / FILE
    try:
        download.file([URL], target)
    except PackUnavailable as error:
        raise PackUnavailable(
            f"InsightFace's liveness addon is not on this machine and could not be downloaded "
            f"({error}): set MODEL_ROOT to a folder that holds addons/{FILE}, or copy the file "
            f"to {target}, or set LIVENESS=off to do without."
        ) from error
    return target


class LivenessAddon:
    """`addon` is InsightFace's `Liveness`."""

    def __init__(self, addon: Any) -> None:
        self._addon = addon

    def score(self, image: Image, points: Floats) -> float | None:
        from insightface.addons.liveness import DESTINATION_LANDMARKS

        from stream.vision.warp import aligned

        if aligned(points, DESTINATION_LANDMARKS) is None:
            return None  # the addon would raise
        score: float | None = self._addon.predict(image, points)["live_score"]
        return score


def load(path: Path, threads: int) -> LivenessAddon:
    """Raises `PackUnavailable` for a damaged file, and for one of other inputs and outputs."""
    from insightface.addons import Liveness

    loaded = session(path, threads)
    try:
        return LivenessAddon(Liveness(path, session=loaded))
    except RuntimeError as error:
        raise PackUnavailable(f"{path} is not InsightFace's liveness addon: {error}.") from error
