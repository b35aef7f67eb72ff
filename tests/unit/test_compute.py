"""The compute thread runs the most urgent job first, between two steps too."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stream.compute import URGENT, ComputeThread, Steps


@pytest.fixture
def compute() -> Iterator[ComputeThread]:
    with ComputeThread() as thread:
        yield thread


async def test_the_value_a_generator_returns_is_the_result(compute: ComputeThread) -> None:
    def steps() -> Generator[None, None, int]:
        yield
        return 42

    assert await compute.run(1, steps) == 42


async def test_what_a_step_raises_reaches_the_caller_and_the_thread_lives(
    compute: ComputeThread,
) -> None:
    def broken() -> Generator[None, None, int]:
        yield
        raise ValueError("no face like that")

    def sound() -> Generator[None, None, int]:
        yield
        return 1

    with pytest.raises(ValueError, match="no face like that"):
        await compute.run(1, broken)
    assert await compute.run(1, sound) == 1


async def test_the_thread_outlives_even_what_is_no_exception(compute: ComputeThread) -> None:
    def broken() -> Generator[None, None, int]:
        yield
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="CancelledError"):
        await compute.run(1, broken)

    def sound() -> Generator[None, None, int]:
        yield
        return 1

    assert await compute.run(1, sound) == 1


async def test_urgent_work_goes_between_two_steps_of_a_running_job(compute: ComputeThread) -> None:
    order: list[str] = []
    in_first_step = threading.Event()
    urgent_waits = threading.Event()

    def bulk() -> Generator[None, None, None]:
        order.append("bulk 1")
        in_first_step.set()
        urgent_waits.wait(5)
        yield
        order.append("bulk 2")

    def urgent() -> Generator[None, None, None]:
        order.append("urgent 1")
        yield
        order.append("urgent 2")

    running = asyncio.create_task(compute.run(1, bulk))
    await asyncio.to_thread(in_first_step.wait, 5)
    first = asyncio.create_task(compute.run(0, urgent))
    await asyncio.sleep(0)
    urgent_waits.set()
    await asyncio.gather(running, first)
    assert order == ["bulk 1", "urgent 1", "urgent 2", "bulk 2"]


async def test_a_job_whose_caller_is_gone_is_left_at_its_next_step(compute: ComputeThread) -> None:
    steps_done: list[int] = []
    started = threading.Event()
    go_on = threading.Event()

    def long() -> Generator[None, None, None]:
        for number in range(100):
            steps_done.append(number)
            started.set()
            go_on.wait(5)
            yield

    def short() -> Generator[None, None, int]:
        yield
        return 1

    task = asyncio.create_task(compute.run(1, long))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    go_on.set()
    assert await compute.run(1, short) == 1
    assert steps_done == [0]


def _queued(compute: ComputeThread, *jobs: Callable[[], Steps[Any]]) -> list[asyncio.Task[Any]]:
    """Bulk jobs that all wait before the first of them begins, each of some 20 ms."""
    compute.mean_s = 0.02
    return [asyncio.create_task(compute.run(URGENT + 1, job)) for job in jobs]


async def test_what_nobody_hurries_for_is_told_together_while_other_work_waits(
    compute: ComputeThread,
) -> None:
    all_wait = threading.Event()
    computed: list[int] = []
    computed_when_told: list[int] = []

    def job(number: int) -> Steps[int]:
        all_wait.wait(5)
        computed.append(number)
        yield
        return number

    tasks = _queued(compute, *(partial(job, number) for number in range(8)))
    for task in tasks:
        task.add_done_callback(lambda _task: computed_when_told.append(len(computed)))
    await asyncio.sleep(0)
    all_wait.set()
    assert await asyncio.gather(*tasks) == list(range(8))
    assert computed_when_told[0] >= 4


async def test_an_urgent_outcome_is_told_at_once_and_what_was_kept_with_it(
    compute: ComputeThread,
) -> None:
    all_wait, in_long, urgent_waits, go_on = (threading.Event() for _ in range(4))

    def short() -> Steps[str]:
        all_wait.wait(5)
        yield
        return "kept"

    def long() -> Steps[None]:
        in_long.set()
        urgent_waits.wait(5)
        yield
        go_on.wait(5)

    def urgent() -> Steps[str]:
        yield
        return "urgent"

    kept, *others = _queued(compute, short, long, short, short)
    await asyncio.sleep(0)
    all_wait.set()
    await asyncio.to_thread(in_long.wait, 5)
    assert not kept.done()
    hurried = asyncio.create_task(compute.run(URGENT, urgent))
    await asyncio.sleep(0)
    urgent_waits.set()
    async with asyncio.timeout(5):
        assert (await kept, await hurried) == ("kept", "urgent")
    assert not any(other.done() for other in others)
    go_on.set()
    await asyncio.gather(*others)


async def test_an_outcome_is_kept_for_a_tenth_of_a_second_at_most(
    compute: ComputeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("stream.compute.time.monotonic", lambda: now_s)
    all_wait, go_on = threading.Event(), threading.Event()

    def short() -> Steps[str]:
        all_wait.wait(5)
        yield
        return "kept"

    def long() -> Steps[None]:
        nonlocal now_s
        now_s += 0.2
        yield
        go_on.wait(5)

    kept, *others = _queued(compute, short, long, short, short)
    await asyncio.sleep(0)
    all_wait.set()
    async with asyncio.timeout(5):
        assert await kept == "kept"
    assert not any(other.done() for other in others)
    go_on.set()
    await asyncio.gather(*others)


async def test_nothing_is_kept_for_work_whose_callers_are_gone(compute: ComputeThread) -> None:
    started, go_on = threading.Event(), threading.Event()

    def job() -> Steps[str]:
        started.set()
        go_on.wait(5)
        yield
        return "told"

    told, *others = _queued(compute, job, job, job, job)
    await asyncio.to_thread(started.wait, 5)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    go_on.set()
    async with asyncio.timeout(5):
        assert await told == "told"


async def test_what_was_kept_is_told_when_the_thread_stops() -> None:
    all_wait, in_last, stopping = (threading.Event() for _ in range(3))

    def short() -> Steps[str]:
        all_wait.wait(5)
        yield
        return "kept"

    def last() -> Steps[None]:
        in_last.set()
        stopping.wait(5)
        yield

    with ComputeThread() as compute:
        kept, *others = _queued(compute, short, last, short, short)
        await asyncio.sleep(0)
        all_wait.set()
        await asyncio.to_thread(in_last.wait, 5)
        assert not kept.done()
        threading.Timer(0.05, stopping.set).start()
    async with asyncio.timeout(5):
        assert await kept == "kept"
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_the_age_of_a_step_tells_a_hang_from_idleness(compute: ComputeThread) -> None:
    started = threading.Event()
    go_on = threading.Event()

    def hanging() -> Generator[None, None, None]:
        started.set()
        go_on.wait(5)
        yield

    assert compute.step_age_s == 0
    task = asyncio.create_task(compute.run(1, hanging))
    await asyncio.to_thread(started.wait, 5)
    assert compute.step_age_s > 0
    go_on.set()
    await task
    assert compute.step_age_s == 0


async def test_the_mean_of_jobs_leaves_out_what_went_before_them(
    compute: ComputeThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("stream.compute.time.monotonic", lambda: now_s)

    def taking(seconds: float) -> Generator[None, None, None]:
        nonlocal now_s
        now_s += seconds / 2
        yield
        now_s += seconds / 2

    async def bulk_and_urgent() -> None:
        def bulk() -> Generator[None, None, None]:
            asyncio.run_coroutine_threadsafe(compute.run(0, lambda: taking(4.0)), loop)
            while not compute._jobs:
                pass
            yield
            yield from taking(4.0)

        loop = asyncio.get_running_loop()
        await compute.run(1, bulk)

    assert compute.mean_s == 0
    await compute.run(1, lambda: taking(3.0))
    assert compute.mean_s == 3.0  # not less, as if there had been others that took nothing
    for _ in range(40):
        await compute.run(1, lambda: taking(2.0))
    assert compute.mean_s == pytest.approx(2.0, rel=0.02)
    for _ in range(20):
        await bulk_and_urgent()
    assert compute.mean_s == pytest.approx(4.0, rel=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show no names of threads")
async def test_the_operating_system_shows_the_thread_by_its_name(compute: ComputeThread) -> None:
    def own_name() -> Generator[None, None, str]:
        yield
        return Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text().strip()

    assert await compute.run(1, own_name) == "compute"
