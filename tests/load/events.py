"""The events of a load: images of all sizes, by reference and inline, and what is no image."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

_SEED = 6  # any number: the same events in each run
_OPERATIONS = ("embed", "embed", "embed", "detect", "embed", "analyze")
#: of a hundred events
_SHARES = {
    "small": 50,
    "inline": 25,
    "png": 5,
    "group": 4,
    "medium": 3,
    "large": 1,
    "flat": 3,
    "truncated": 3,
    "missing": 2,
    "forbidden": 2,
    "no request": 2,
}


@dataclass(frozen=True, slots=True)
class Event:
    """`key` is the request's id; bytes that are no request have one too."""

    key: bytes
    value: bytes


class Mixture:
    """Images in a folder, and endless events that refer to them."""

    def __init__(self, folder: Path) -> None:
        """folder: an empty one. `IMAGE_SOURCES` must name it."""
        import insightface.data
        import skimage.data

        people = cv2.imread(str(Path(insightface.data.__file__).parent / "images" / "t1.jpg"))
        assert people is not None
        portrait = skimage.data.astronaut()[:, :, ::-1]
        folder.mkdir(exist_ok=True)
        self._folder = folder
        for number in range(8):
            self._write(f"small-{number}.jpg", _scaled(portrait, 200 + 16 * number))
        self._write("png.png", portrait)
        self._write("group.jpg", people)
        self._write("medium.jpg", _scaled(portrait, 1200))
        self._write("large.jpg", np.vstack([_scaled(portrait, 2200)[:1600], _scaled(people, 2200)]))
        self._write("flat.png", np.full((300, 400, 3), 90, np.uint8))
        whole = (folder / "group.jpg").read_bytes()
        (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 3])
        self._inline = [
            base64.b64encode((folder / f"small-{number}.jpg").read_bytes()).decode()
            for number in range(8)
        ]

    @property
    def sources(self) -> str:
        """For `IMAGE_SOURCES`."""
        return f"{self._folder.as_uri()}/"

    @property
    def small(self) -> list[bytes]:
        """What a caller sends."""
        return [path.read_bytes() for path in sorted(self._folder.glob("small-*.jpg"))]

    def _write(self, name: str, pixels: NDArray[np.uint8]) -> None:
        assert cv2.imwrite(str(self._folder / name), pixels)

    def events(self) -> Iterator[Event]:
        """The same ones each time, without an end."""
        chance = random.Random(_SEED)
        kinds, weights = list(_SHARES), list(_SHARES.values())
        number = 0
        while True:
            for kind in chance.choices(kinds, weights, k=1000):
                key = b"load-%d" % number
                yield Event(key, self._value(kind, number, key.decode()))
                number += 1

    def _value(self, kind: str, number: int, request_id: str) -> bytes:
        if kind == "no request":
            return b'{"id": "load-%d", "operation": ' % number
        request = {
            "id": request_id,
            "operation": _OPERATIONS[number % len(_OPERATIONS)],
            "image": self._image(kind, number % 8),
            "metadata": {"number": number, "kind": kind},
        }
        return orjson.dumps(request)

    def _image(self, kind: str, variant: int) -> dict[str, Any]:
        if kind == "inline":
            return {"data": self._inline[variant]}
        names = {"small": f"small-{variant}.jpg", "png": "png.png", "flat": "flat.png"}
        path = self._folder / names.get(kind, f"{kind}.jpg")
        if kind == "forbidden":
            path = self._folder.parent / "elsewhere.jpg"
        return {"uri": path.as_uri()}


def _scaled(pixels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    height = round(pixels.shape[0] * width / pixels.shape[1])
    return np.asarray(cv2.resize(pixels, (width, height)), np.uint8)
