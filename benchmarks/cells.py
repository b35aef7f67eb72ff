"""What is measured: a cell is one side with one operation, one set and so many callers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from benchmarks.photographs import PhotographSet
from schemas.topics import Operation

SideName = Literal["loop", "stream", "edge", "afternoon"]
SIDES: tuple[SideName, ...] = get_args(SideName)

#: sets of at most so many files are computed whole, once or several times: their files differ
_WHOLE_FILES = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """`callers`: requests under way; of the loop: processes at work. None: all at once."""

    photographs: str
    operation: Operation
    side: SideName
    callers: int | None


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be compared."""

    operations: Sequence[Operation]
    sets: Sequence[PhotographSet]
    sides: Sequence[SideName]
    callers: Sequence[int]
    #: in a cell; None: as many as it takes `seconds` to compute
    images: int | None
    seconds: float
    rounds: int
    max_faces: int
    #: `embedded` or `host:port`
    broker: str
    #: the afternoon's pool runs only the models that an operation needs
    frugal: bool = False

    def groups(self) -> Iterator[tuple[Cell, ...]]:
        """Of a round, in the order in which they are measured: cells of a group by turns.

        What is compared stands side by side: the stream and the edge with the most callers; or is
        one group: all of the loop's processes and the stream with all at once, one of them and the
        edge with one caller.
        """
        for photographs in self.sets:
            for group in self._of_a_set(photographs.name):
                cells = tuple(cell for cell in group if cell.side in self.sides)
                if cells:
                    yield cells

    def _of_a_set(self, photographs: str) -> Iterator[tuple[Cell, ...]]:
        callers = sorted(self.callers)
        for operation in self.operations:
            cell = partial(Cell, photographs, operation)
            yield cell("loop", None), cell("stream", None)
            yield from ((cell("stream", number),) for number in callers)
            yield from ((cell("edge", number),) for number in reversed(callers) if number > 1)
            yield cell("loop", 1), *(cell("edge", number) for number in callers if number == 1)
        for operation in self.operations:
            for number in callers:
                yield (Cell(photographs, operation, "afternoon", number),)


def enough(images_per_s: float, seconds: float, files: int) -> int:
    """How many images such a side computes in so many seconds; of a small set, all files alike."""
    wanted = max(1, round(images_per_s * seconds))
    if files > _WHOLE_FILES:
        return wanted
    return max(1, round(wanted / files)) * files
