"""Sides that have turns: who runs when, and by which clock."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import psutil
import pytest

from benchmarks import comparison
from benchmarks.batches import Batch, BenchmarkFailed, Run, joined
from benchmarks.cells import Cell, Order, SideName
from benchmarks.comparison import Comparison, Round, Side
from benchmarks.costs import Meter
from benchmarks.pauses import Pauses
from benchmarks.photographs import PhotographSet

PATHS = tuple(Path(f"/{number}.jpg") for number in range(1000))
ORDER = Order(
    operations=("detect",),
    sets=(PhotographSet("small", (), PATHS),),
    sides=("loop", "stream"),
    callers=(),
    images=None,
    seconds=4.5,
    rounds=2,
    max_faces=1,
    broker="embedded",
)
LOOP, STREAM = Cell("small", "detect", "loop", None), Cell("small", "detect", "stream", None)


class Loop:
    """A hundred images a second, it says."""

    name = "loop"
    home = None
    pids: list[int] = []  # noqa: RUF012 - as the protocol has it

    def __init__(self) -> None:
        self.batches: list[tuple[Path, ...]] = []

    async def run(self, batch: Batch, callers: int | None) -> Run:
        if callers is None:
            self.batches.append(batch.paths)
        return _run(batch)


class Stream:
    """One process, and batches that are done at once, or never."""

    name = "stream"

    def __init__(self, process: psutil.Process, never: int = 0) -> None:
        """never: images of a batch that is never done."""
        self.home = self
        self.process = process
        self.batches: list[tuple[Path, ...]] = []
        self.given_up = False
        self._never = never

    @property
    def pids(self) -> list[int]:
        return [self.process.pid]

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        yield

    async def run(self, batch: Batch, callers: int | None) -> Run:
        self.batches.append(batch.paths)
        if len(batch.paths) == self._never:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.given_up = True
        return _run(batch)


def _run(batch: Batch) -> Run:
    images = len(batch.paths)
    return Run(images / 100, (1,) * images, (10.0,) * images, ({},) * images)


@pytest.fixture
def process() -> Iterator[psutil.Process]:
    with subprocess.Popen(["sleep", "600"]) as started:
        yield psutil.Process(started.pid)
        started.kill()


async def rounds_of(order: Order, loop: Loop, stream: Stream) -> list[Round]:
    both = Comparison(order, {"loop": loop, "stream": stream}, None, Pauses())
    return await both.rounds(lambda _: None)


async def test_the_loop_computes_the_batch_by_parts_of_a_second_and_a_half(
    process: psutil.Process,
) -> None:
    loop, stream = Loop(), Stream(process)
    rounds = await rounds_of(ORDER, loop, stream)
    parts = loop.batches[-3:]
    assert [len(part) for part in parts] == [150, 150, 150]
    assert stream.batches[-1] == parts[0] + parts[1] + parts[2]
    assert len(set(stream.batches[-1])) == 450
    for one in rounds:
        assert one[LOOP].batch == one[STREAM].batch
        assert [len(one[cell].run.faces) for cell in (LOOP, STREAM)] == [450, 450]
        assert one[LOOP].run.images_per_s == pytest.approx(100)


async def test_one_caller_and_one_bare_process_go_by_turns_and_neither_disturbs_the_other(
    process: psutil.Process,
) -> None:
    turns: list[tuple[str, tuple[Path, ...]]] = []

    class Direct(Loop):
        async def run(self, batch: Batch, callers: int | None) -> Run:
            if len(batch.paths) == 150:
                await asyncio.to_thread(_await_pause, process)
                turns.append(("direct", batch.paths))
            return await super().run(batch, callers)

    class Asked(Stream):
        name = "edge"

        async def run(self, batch: Batch, callers: int | None) -> Run:
            if len(batch.paths) == 150:
                await asyncio.to_thread(_await_pause, process, False)
                turns.append(("asked", batch.paths))
            return await super().run(batch, callers)

    order = replace(ORDER, sides=("loop", "edge"), callers=(1,), seconds=9.0, rounds=1)
    direct, asked = Cell("small", "detect", "loop", 1), Cell("small", "detect", "edge", 1)
    sides: dict[SideName, Side] = {"loop": Direct(), "edge": Asked(process)}
    [measured] = await Comparison(order, sides, None, Pauses()).rounds(lambda _: None)
    assert [who for who, _ in turns] == ["direct", "asked"] * 3
    parts = [paths for _, paths in turns]
    assert parts[::2] == parts[1::2]
    assert len(set(chain.from_iterable(parts))) == 450
    assert measured[direct].batch == measured[asked].batch
    assert [len(measured[cell].run.faces) for cell in (direct, asked)] == [450, 450]


async def test_a_small_set_is_computed_whole_and_no_turn_is_longer_for_it(
    process: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_TURN_S", 0.3)
    loop, stream = Loop(), Stream(process)
    few = (PhotographSet("small", (), PATHS[:64]),)
    await rounds_of(replace(ORDER, sets=few, seconds=0.5, rounds=1), loop, stream)
    assert [len(part) for part in loop.batches[-2:]] == [32, 32]
    assert stream.batches[-1] == PATHS[:64]


async def test_a_number_of_images_that_was_asked_for_is_computed_at_once(
    process: psutil.Process,
) -> None:
    loop, stream = Loop(), Stream(process)
    await rounds_of(replace(ORDER, images=40, rounds=1), loop, stream)
    assert [len(paths) for paths in (loop.batches[-1], stream.batches[-1])] == [40, 40]


async def test_the_stream_is_stopped_meanwhile_and_its_batch_given_up_when_the_loop_fails(
    process: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Loop):
        async def run(self, batch: Batch, callers: int | None) -> Run:
            if callers is None and len(batch.paths) == 1:
                await asyncio.to_thread(_await_pause, process)
                raise BenchmarkFailed("a bare process ended")
            return await super().run(batch, callers)

    monkeypatch.setattr(comparison, "_TURN_S", 0.01)
    stream = Stream(process, never=40)
    with pytest.raises(BenchmarkFailed, match="a bare process ended"):
        await rounds_of(replace(ORDER, images=40), Failing(), stream)
    assert stream.given_up
    assert process.status() != psutil.STATUS_STOPPED


def test_a_pause_is_left_out_of_the_time_in_which_a_side_ran(process: psutil.Process) -> None:
    pauses = Pauses()
    before = time.perf_counter()
    with pauses.pause([process.pid]):
        amid = time.perf_counter()
        time.sleep(0.01)
    after = time.perf_counter()
    assert pauses.ran_s(before) == before
    assert amid - 0.005 < pauses.ran_s(amid) <= amid
    assert pauses.ran_s(after) <= after - 0.01
    assert pauses.ran_s(after + 1) == pytest.approx(pauses.ran_s(after) + 1)


def test_who_is_stopped_goes_on_when_the_benchmark_is_killed(process: psutil.Process) -> None:
    pausing = (
        "import signal, os; from benchmarks.pauses import Pauses\n"
        f"with Pauses().pause([{process.pid}]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", pausing], check=False)
    assert killed.returncode == -signal.SIGKILL
    _await_pause(process, paused=False)


def test_runs_one_after_the_other_are_one() -> None:
    first = Run(2.0, (1, None), (10.0, 20.0), ({"detect": 1.0}, {}), copies=3)
    second = Run(1.0, (2,), (30.0,), ({"detect": 3.0},))
    both = joined([first, second])
    assert (both.faces, both.waits_ms) == ((1, None, 2), (10.0, 20.0, 30.0))
    assert both.stages_ms == ({"detect": 1.0}, {}, {"detect": 3.0})
    assert (both.images_per_s, both.copies, both.failed) == (1.0, 3, 1)


def test_a_meter_counts_what_is_spent_in_its_blocks_alone() -> None:
    meter = Meter([], [], None)
    for _ in range(2):
        with meter.counting():
            _spend(0.02)
        _spend(0.1)
    assert 0.03 <= meter.costs.client_cpu_s < 0.1
    assert meter.costs.lasted_s >= 0.03
    assert (meter.costs.cpu_s, meter.costs.broker_cpu_s) == (0.0, None)


def _await_pause(process: psutil.Process, paused: bool = True) -> None:
    """It begins, and ends, a little after the signal."""
    ends_at = time.monotonic() + 5
    while (process.status() == psutil.STATUS_STOPPED) != paused:
        assert time.monotonic() < ends_at


def _spend(seconds: float) -> None:
    ends_at = time.process_time() + seconds
    while time.process_time() < ends_at:
        pass
