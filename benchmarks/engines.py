"""One engine beside another, image by image in one process: `python -m benchmarks.engines`.

Each image is decoded, detected and embedded (the most prominent face) by every engine in turn, the
one that goes first by turns: a machine's noise meets all alike. ONNX Runtime takes part twice: with
the networks as they are put for it here (stream/models/onnx_graph.py), and with the pack's files as
they are, which is what OpenVINO reads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import click

from benchmarks.photographs import PhotographSet, named

if TYPE_CHECKING:
    from stream.pipeline import Pipeline

_WARM_UP_IMAGES = 20
_MAX_PIXELS = 50_000_000
_DEFAULT, _AS_IT_IS = "onnxruntime fp32", "onnxruntime fp32, files as they are"
_ENGINES: dict[str, dict[str, Any]] = {
    _AS_IT_IS: {},
    _DEFAULT: {},
    "openvino fp32": {"inference_engine": "openvino"},
    "openvino bf16": {"inference_engine": "openvino", "precision": "bf16"},
}


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False
)
@click.option("--images", type=click.IntRange(min=1), default=400, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--pack", default="buffalo_s", show_default=True)
def main(folder: Path | None, images: int, threads: int, pack: str) -> None:
    """Images a second of each engine that this machine has, and how many times those of ONNX
    Runtime over the files as they are, and as it is used here."""
    import cv2

    from stream.models.download import PackUnavailable

    cv2.setNumThreads(threads)
    photographs = named(("small",))[0] if folder is None else _in_folder(folder)
    pipelines = {}
    for name, changes in _ENGINES.items():
        try:
            with _as_they_are() if name == _AS_IT_IS else nullcontext():
                pipelines[name] = _pipeline(pack, threads, changes)
        except PackUnavailable as missing:  # of the others there are figures all the same
            click.echo(f"{name}: {missing}", err=True)
    paths = photographs.sample(images)
    elapsed_s = dict(zip(pipelines, compare(list(pipelines.values()), paths), strict=True))
    click.echo(f"{len(paths)} images of {photographs.name}, {threads} thread(s)")
    click.echo(f"{'':37} images/s  ÷ files as they are  ÷ as it is used here")
    for name, of_engine in elapsed_s.items():
        as_it_is, default = (elapsed_s[each] / of_engine for each in (_AS_IT_IS, _DEFAULT))
        click.echo(f"{name:37} {len(paths) / of_engine:8.1f}  {as_it_is:19.2f}  {default:20.2f}")


def compare(pipelines: Sequence[Pipeline], paths: Sequence[Path]) -> list[float]:
    """Seconds that each took for all images."""
    for path in paths[:_WARM_UP_IMAGES]:
        for pipeline in pipelines:
            _seconds(pipeline, path)
    spent: list[list[float]] = [[] for _ in pipelines]
    for number, path in enumerate(paths):
        for turn in range(len(pipelines)):
            one = (number + turn) % len(pipelines)
            spent[one].append(_seconds(pipelines[one], path))
    return [math.fsum(of_one) for of_one in spent]


def _seconds(pipeline: Pipeline, path: Path) -> float:
    from stream.images import open_photograph
    from stream.models.settings import ModelSettings

    enough_px = ModelSettings.model_fields["det_size"].default
    started_at = time.perf_counter()
    pipeline.run(open_photograph(path.read_bytes(), _MAX_PIXELS, enough_px), "embed", 1, {})
    return time.perf_counter() - started_at


def _pipeline(pack: str, threads: int, changes: dict[str, Any]) -> Pipeline:
    from stream.models.loading import load_models
    from stream.models.settings import ModelSettings
    from stream.pipeline import Pipeline

    asked = {"model_pack": pack, "emotion_engine": "off", "threads_per_session": threads, **changes}
    settings = ModelSettings.model_validate(asked)
    return Pipeline(load_models(settings), settings)


def _as_they_are() -> AbstractContextManager[Any]:
    from stream.models import insightface_pack

    return patch.object(insightface_pack, "write_faster", lambda path, _folder: path)


def _in_folder(folder: Path) -> PhotographSet:
    return PhotographSet(folder.name, (folder,), tuple(sorted(folder.rglob("*.jpg"))))


if __name__ == "__main__":
    main()
