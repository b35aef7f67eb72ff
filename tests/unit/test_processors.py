"""A worker has processors of its own where they go round, and keeps to them while all are busy."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stream import processors
from stream.processors import OwnProcessors, idle_ticks, shared_out, usable_processors
from tests.conftest import skip_or_fail


class Machine:
    """Time goes by on its processors, and `/proc/stat` tells of it."""

    def __init__(self, stat: Path, usable: tuple[int, ...]) -> None:
        self.stat = stat
        self._usable = usable
        self._ticks = {number: [0, 0] for number in (*usable, max(usable) + 1)}
        self.pass_ticks(busy=0, idle=0)

    def pass_ticks(self, *, busy: int, idle: int) -> None:
        """On each of the processors that may be used; the one that may not be idles."""
        for number, ticks in self._ticks.items():
            ours = number in self._usable
            ticks[0] += busy if ours else 0
            ticks[1] += idle if ours else busy + idle
        lines = [f"cpu{n} {b} 0 0 {i} 0 0 0 0 0 0" for n, (b, i) in self._ticks.items()]
        self.stat.write_text("\n".join(["cpu  1 2 3 4 5 6 7 8 9 10", *lines, "ctxt 5"]) + "\n")


def where(thread: threading.Thread) -> set[int]:
    assert thread.native_id is not None
    return os.sched_getaffinity(thread.native_id)


@pytest.fixture
def all_processors() -> Iterator[tuple[int, ...]]:
    before = usable_processors()
    if len(before) < 2:
        skip_or_fail("there is one processor, or a system that tells of none")
    yield before
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), before)


@pytest.fixture
def machine(tmp_path: Path, all_processors: tuple[int, ...]) -> Machine:
    return Machine(tmp_path / "stat", all_processors)


def test_processors_are_shared_out_where_they_go_round() -> None:
    assert shared_out((0, 1, 4, 5), workers=4, threads=1) == [(0,), (1,), (4,), (5,)]
    assert shared_out((0, 1, 4, 5), workers=2, threads=2) == [(0, 1), (4, 5)]


@pytest.mark.parametrize(("workers", "threads"), [(1, 1), (3, 1), (8, 1), (2, 4)])
def test_the_kernel_chooses_where_they_do_not(workers: int, threads: int) -> None:
    assert shared_out((0, 1, 2, 3), workers, threads) == [()] * workers


def test_every_thread_keeps_to_its_own_while_all_are_busy_and_to_any_again_afterwards(
    machine: Machine, all_processors: tuple[int, ...]
) -> None:
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        own = OwnProcessors([all_processors[1]], machine.stat)
        own.look()

        machine.pass_ticks(busy=50, idle=50)
        own.look()
        assert where(other) == where(threading.current_thread()) == {*all_processors}

        machine.pass_ticks(busy=95, idle=5)
        own.look()
        assert where(other) == where(threading.current_thread()) == {all_processors[1]}

        machine.pass_ticks(busy=85, idle=15)  # not busy any more, and not idle yet
        own.look()
        assert own.kept

        machine.pass_ticks(busy=50, idle=50)
        own.look()
        assert where(other) == where(threading.current_thread()) == {*all_processors}
    finally:
        ended.set()
        other.join()


def test_nothing_changes_where_no_time_has_passed(machine: Machine) -> None:
    own = OwnProcessors([usable_processors()[0]], machine.stat)
    own.look()
    own.look()
    assert not own.kept


async def test_where_the_system_refuses_it_the_worker_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processors, "_LOOK_S", 0.01)
    nobodys = max(usable_processors()) + 1000
    keeping = asyncio.create_task(OwnProcessors([nobodys], machine.stat).keep())
    await asyncio.sleep(0)
    machine.pass_ticks(busy=100, idle=0)
    await asyncio.wait_for(keeping, 5)
    assert f"does not keep to the processors [{nobodys}]: [Errno 22]" in caplog.text


async def test_where_no_times_are_told_the_worker_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.wait_for(OwnProcessors([0], tmp_path / "none").keep(), 5)
    assert "does not keep to the processors [0]: [Errno 2]" in caplog.text


def test_what_the_kernel_tells_is_understood_as_others_do() -> None:
    idle, whole = idle_ticks(Path("/proc/stat"), usable_processors())
    of_all = psutil.cpu_times(percpu=True)
    times = [of_all[number] for number in usable_processors()]
    per_second = os.sysconf("SC_CLK_TCK")
    since_s = sum(sum(of[:8]) for of in times)
    assert idle / per_second == pytest.approx(sum(of.idle + of.iowait for of in times), abs=1)
    assert whole / per_second == pytest.approx(since_s, abs=1)
