"""What `facestream bench` measures, in which order, and how many images of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, product
from pathlib import Path

import pytest

from benchmarks.batches import Batch, Run
from benchmarks.cells import SIDES, Cell, Order, enough
from benchmarks.comparison import Comparison, Home
from benchmarks.dealing import dealt
from benchmarks.pauses import Pauses
from benchmarks.photographs import PhotographSet

ORDER = Order(
    operations=("detect", "embed"),
    sets=(PhotographSet("small", (), ()), PhotographSet("mixed", (), ())),
    sides=SIDES,
    callers=(1, 4, 16),
    images=None,
    seconds=3.0,
    rounds=2,
    max_faces=1,
    broker="embedded",
)


def test_each_side_has_its_cells_for_every_operation_and_set() -> None:
    cells = list(chain.from_iterable(ORDER.groups()))
    sides = Counter(cell.side for cell in cells)
    assert sides == {"loop": 2 * 4, "stream": 4 * 4, "edge": 3 * 4, "afternoon": 3 * 4}
    assert len(set(cells)) == sides.total()


def test_loop_and_stream_go_by_turns_and_the_edge_follows_the_stream() -> None:
    order = list(ORDER.groups())
    for photographs, operation in product(("small", "mixed"), ORDER.operations):
        cell = partial(Cell, photographs, operation)
        assert (cell("loop", None), cell("stream", None)) in order
        assert order[order.index((cell("edge", 16),)) - 1] == (cell("stream", 16),)


def test_one_bare_process_and_one_caller_go_by_turns() -> None:
    both = (Cell("small", "detect", "loop", 1), Cell("small", "detect", "edge", 1))
    assert both in list(ORDER.groups())
    for fewer, left in (({"callers": (4,)}, both[:1]), ({"sides": ("edge",)}, both[1:])):
        groups = list(replace(ORDER, **fewer).groups())
        assert left in groups
        assert both not in groups


def test_the_afternoon_has_all_cells_of_an_operation_in_a_row() -> None:
    """It starts anew for each operation."""
    cells = chain.from_iterable(ORDER.groups())
    operations = [(cell.photographs, cell.operation) for cell in cells if cell.side == "afternoon"]
    assert operations == sorted(operations, key=operations.index)


def test_a_side_that_is_left_out_is_never_measured() -> None:
    few = replace(ORDER, sides=("edge",), callers=(4,))
    assert {(cell.side, cell.callers) for [cell] in few.groups()} == {("edge", 4)}


@pytest.mark.parametrize(
    ("images_per_s", "files", "images"),
    [(100.0, 769, 300), (50.0, 62, 124), (1.0, 62, 62), (400.0, 3, 1200), (0.01, 769, 1)],
)
def test_a_cell_lasts_as_long_as_asked_and_a_small_set_is_computed_whole(
    images_per_s: float, files: int, images: int
) -> None:
    assert enough(images_per_s, 3.0, files) == images


def test_a_sample_is_spread_over_all_photographs_and_repeats_them_when_they_are_few() -> None:
    paths = tuple(Path(f"/{number}.jpg") for number in range(10))
    photographs = PhotographSet("ten", (Path("/"),), paths)
    assert photographs.sample(5) == paths[::2]
    assert photographs.sample(10) == paths
    assert photographs.sample(12) == (*paths, *paths[:2])


def test_every_partition_has_as_many_images_but_for_one() -> None:
    counts = Counter(dealt(list(range(62)), partitions=8, workers=2))
    assert set(counts) == set(range(8))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("in_turn", [False, True])
def test_no_worker_has_all_the_large_images(in_turn: bool) -> None:
    """However the group gave them their partitions: in a row, or in turn."""
    sizes = [1] * 100 + [1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007]
    shares = [0, 0]
    for size, partition in zip(sizes, dealt(sizes, partitions=8, workers=2), strict=True):
        shares[partition % 2 if in_turn else partition // 4] += size
    assert max(shares) < 1.01 * min(shares)


class SlowAtFirst:
    """Its first 8 images take longer, others 1 ms."""

    name = "loop"
    pids: list[int] = []  # noqa: RUF012 - as the protocol has it

    def __init__(self, first_ms: float) -> None:
        self.home: Home = self
        self.batches: list[int] = []
        self._first_s = first_ms / 1000

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        yield

    async def run(self, batch: Batch, callers: int | None) -> Run:
        begun, images = sum(self.batches), len(batch.paths)
        slow = min(images, max(0, 8 - begun))
        self.batches.append(images)
        elapsed_s = slow * self._first_s + (images - slow) * 0.001
        return Run(elapsed_s, (1,) * images, (1.0,) * images, ({},) * images)


@pytest.mark.parametrize("first_ms", [10, 100])
async def test_a_side_is_warm_before_it_is_said_how_many_images_take_its_time(
    first_ms: float,
) -> None:
    paths = tuple(Path(str(number)) for number in range(200))
    order = replace(
        ORDER,
        operations=("detect",),
        sets=(PhotographSet("small", (), paths),),
        sides=("loop",),
        callers=(),
        rounds=1,
        seconds=1.0,
    )
    side = SlowAtFirst(first_ms)
    [measured] = await Comparison(order, {"loop": side}, None, Pauses()).rounds(print)
    one, both = (Cell("small", "detect", "loop", processes) for processes in (1, None))
    assert len(measured[one].run.faces) == 500
    assert len(measured[both].run.faces) == 1000
