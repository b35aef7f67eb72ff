"""What a benchmark starts ends with it, and so does what that started."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest

from benchmarks import children


async def test_what_outlives_a_process_that_was_ended_is_ended_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(children, "_STOP_TIMEOUT_S", 0.5)
    environ = dict(os.environ)
    async with children.started("tests.stubborn", environ=environ, understood=int) as (_, left):
        outliving = psutil.Process(left)
        assert outliving.is_running()
    async with asyncio.timeout(5):
        while _runs(outliving):  # noqa: ASYNC110 - nobody tells of another's child
            await asyncio.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    """Not as what nobody has asked yet how it ended."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
