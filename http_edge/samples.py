"""Photographs to try the playground with: those that come with installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of a package. `shows`: in words, for who does not see it."""

    name: str
    package: str
    path: str
    shows: str
    credit: str


_SAMPLES = (
    Sample(
        name="astronaut.png",
        package="skimage",
        path="data/astronaut.png",
        shows="Eileen Collins, an astronaut, smiling before a flag",
        credit="NASA, public domain; comes with scikit-image",
    ),
    Sample(
        name="group.jpg",
        package="insightface",
        path="data/images/t1.jpg",
        shows="Six people who play cards around a table",
        credit="comes with InsightFace",
    ),
    Sample(
        name="portrait.png",
        package="insightface",
        path="data/images/Tom_Hanks_54745.png",
        shows="A man with short dark hair, on a small grey picture",
        credit="comes with InsightFace",
    ),
)


def installed() -> Mapping[str, tuple[Sample, Path]]:
    """By name, those that are here. The packages are looked up and not imported."""
    found = {}
    for sample in _SAMPLES:
        spec = find_spec(sample.package)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin).parent / sample.path
        if path.is_file():
            found[sample.name] = (sample, path)
    return found
