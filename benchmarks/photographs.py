"""Which photographs are computed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Literal, get_args

SetName = Literal["small", "mixed"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)

_FACES = Path(__file__).resolve().parents[2] / "shared" / "faces"
#: small: LFW's, of 250×250 pixels; mixed: photographs of all sizes
_FOLDERS: dict[SetName, Path] = {"small": _FACES / "lfw", "mixed": _FACES / "photos"}


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


def named(names: tuple[SetName, ...]) -> tuple[PhotographSet, ...]:
    """Those beside the checkout; where they are not there, what comes with the dependencies."""
    sets = [
        PhotographSet(name, (_FOLDERS[name],), tuple(sorted(_FOLDERS[name].rglob("*.jpg"))))
        for name in names
        if _FOLDERS[name].is_dir()
    ]
    return tuple(sets) or (of_dependencies(),)


def of_dependencies() -> PhotographSet:
    """InsightFace's group photograph and portrait, and scikit-image's astronaut."""
    import insightface.data
    import skimage.data

    people = Path(insightface.data.__file__).parent / "images"
    science = Path(skimage.data.__file__).parent
    paths = (people / "t1.jpg", people / "Tom_Hanks_54745.png", science / "astronaut.png")
    return PhotographSet("of the dependencies", (people, science), paths)
