"""`python -m benchmarks.thresholds`: from which similarity on two faces are one person's.

Embeds the photographs of labelled pairs and writes, for the recogniser that did it, the threshold
and how often it errs. The playground shows what is written there; of other recognisers it says that
nothing was measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import ErrorRate, Verification, read_pairs, similarities_of, verification
from schemas.errors import FacestreamError
from schemas.results import ModelInfo

if TYPE_CHECKING:
    from stream.pipeline import Pipeline
    from stream.settings import WorkerSettings

PAGE_FILE = (
    Path(__file__).resolve().parents[1] / "http_edge" / "static" / "playground" / "thresholds.json"
)


def document_of(found: Verification, models: ModelInfo, photographs: str) -> dict[str, Any]:
    """What is kept of a measurement."""
    return {
        "pack": models.pack,
        "engine": models.engine,
        "precision": models.precision,
        "photographs": photographs,
        "threshold": found.threshold,
        "false_match": _rate(found.false_match),
        "false_non_match": _rate(found.false_non_match),
    }


def write_to(path: Path, recognizer: str, document: dict[str, Any]) -> None:
    """Add a recogniser's measurement to the file, or put it in the place of its last one."""
    measured = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(measured | {recognizer: document}, indent=2, sort_keys=True) + "\n")


def embed(
    paths: Iterable[tuple[str, Path]], pipeline: Pipeline, settings: WorkerSettings
) -> dict[str, NDArray[np.float32]]:
    """The embedding of each photograph's most prominent face; without those that have none."""
    from stream.images import open_photograph

    found: dict[str, NDArray[np.float32]] = {}
    for name, path in paths:
        try:
            photograph = open_photograph(
                path.read_bytes(), settings.max_image_pixels, settings.enough_px
            )
            faces = pipeline.run(photograph, "embed", 1, {})
        except FacestreamError:
            continue
        if faces and faces[0].embedding is not None:
            found[name] = np.array(faces[0].embedding, np.float32)
    return found


def main() -> None:
    """MODEL_PACK and MODEL_ROOT say with which models."""
    from stream.models.loading import load_models
    from stream.pipeline import Pipeline
    from stream.settings import WorkerSettings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path, help="CSV image_a,image_b,same_person; beside images")
    parser.add_argument("--name", default="LFW", help="what the photographs are called")
    parser.add_argument("--out", type=Path, default=PAGE_FILE)
    order = parser.parse_args()
    settings = WorkerSettings()
    models = load_models(settings)
    pairs = read_pairs(order.pairs)
    names = sorted({name for pair in pairs for name in pair[:2]})
    located = ((name, order.pairs.parent / name) for name in names)
    similarities, same = similarities_of(
        pairs, embed(located, Pipeline(models, settings), settings)
    )
    document = document_of(verification(similarities, same), models.info, order.name)
    assert models.info.recognizer is not None
    write_to(order.out, models.info.recognizer, document)
    print(json.dumps({models.info.recognizer: document}, indent=2))  # noqa: T201


def _rate(rate: ErrorRate) -> dict[str, Any]:
    low, high = rate.interval
    return {"wrong": rate.wrong, "of": rate.of, "interval_95": [round(low, 4), round(high, 4)]}


if __name__ == "__main__":
    main()
