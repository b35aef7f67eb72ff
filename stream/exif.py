"""The one thing of EXIF that pixels depend on. The rest of it is not looked at.

Not by Pillow, which reads every entry of a note and warns of each that is odd: a few megabytes of
them keep it busy for seconds and fill the log.
"""

from __future__ import annotations

from typing import Literal

_PREFIX = b"Exif\x00\x00"
_ORIENTATION_TAG = 0x0112
_SHORT = 3
#: a camera's first directory has some twenty
_MAX_ENTRIES = 1000


def orientation(note: bytes) -> int:
    """1 to 8, as EXIF numbers them; 1, which is upright, where none can be read."""
    note = note.removeprefix(_PREFIX)
    order: Literal["little", "big"]
    if note[:4] == b"II*\x00":
        order = "little"
    elif note[:4] == b"MM\x00*":
        order = "big"
    else:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(note[at : at + size], order)

    directory = number(4, 4)
    for index in range(min(number(directory, 2), _MAX_ENTRIES)):
        entry = directory + 2 + 12 * index
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, 2) if number(entry + 2, 2) == _SHORT else 1
            return value if 1 <= value <= 8 else 1
    return 1
