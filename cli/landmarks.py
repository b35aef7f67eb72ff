"""`facestream landmarks`: the two schemes of landmarks, drawn on a face."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from cli.failures import Failure


@click.command("landmarks")
@click.argument("photograph", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default=Path("landmarks-106-to-68.png"),
    show_default=True,
    help="The picture to write.",
)
def command(photograph: Path | None, out: Path) -> None:
    """Draw the 106 landmarks of a face, and the 68 that are picked from them, with their numbers.

    Without a PHOTOGRAPH: on NASA's portrait of Eileen Collins, which scikit-image ships.
    """
    from cli.landmark_map import landmark_map
    from stream.models.loading import load_models
    from stream.models.settings import ModelSettings
    from stream.vision.prominence import most_prominent_first

    image = _portrait() if photograph is None else cv2.imread(str(photograph))
    if image is None:
        raise Failure(f"{photograph}: no image that can be read")
    image = np.asarray(image, np.uint8)
    settings = ModelSettings()
    models = load_models(settings)
    if models.landmarks_106 is None:
        raise Failure(f"the pack {settings.model_pack} has no 2d106det")
    found = models.detector.detect(image)
    if not len(found.boxes):
        raise Failure("no face is found there")
    face = most_prominent_first(found.boxes, *image.shape[:2])[0]
    five = None if found.points is None else found.points[face]
    points = models.landmarks_106.locate(image, found.boxes[face], five)
    if points is None:
        raise Failure("no face is found there")
    picture = landmark_map(image, points)
    encoded = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(encoded.tobytes())
    click.echo(str(out))


def _portrait() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])
