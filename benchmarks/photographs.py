"""Which photographs are computed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1]
LFW = _PROJECT.parent / "shared" / "faces" / "lfw"


@dataclass(frozen=True, slots=True)
class PhotographSet:
    """Files, absolute, and the folders below which they lie: few, for an allow-list."""

    name: str
    folders: tuple[Path, ...]
    paths: tuple[Path, ...]

    def sample(self, count: int) -> tuple[Path, ...]:
        """`count` of them, evenly over all; from the beginning again where there are fewer."""
        if count >= len(self.paths):
            return tuple(islice(cycle(self.paths), count))
        return tuple(self.paths[number * len(self.paths) // count] for number in range(count))


def default_photographs() -> PhotographSet:
    """LFW beside the checkout, else what comes with the dependencies."""
    if LFW.is_dir():
        return PhotographSet("lfw", (LFW,), tuple(sorted(LFW.rglob("*.jpg"))))
    return _of_dependencies()


def _of_dependencies() -> PhotographSet:
    """InsightFace's group photograph and portrait, and scikit-image's astronaut."""
    import insightface.data
    import skimage.data

    people = Path(insightface.data.__file__).parent / "images"
    science = Path(skimage.data.__file__).parent
    paths = (people / "t1.jpg", people / "Tom_Hanks_54745.png", science / "astronaut.png")
    return PhotographSet("of the dependencies", (people, science), paths)
