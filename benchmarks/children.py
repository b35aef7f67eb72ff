"""A process that is started, says that it is ready, and is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from benchmarks.batches import BenchmarkFailed

T = TypeVar("T")

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 15.0


@asynccontextmanager
async def started(
    module: str,
    *arguments: str,
    environ: Mapping[str, str],
    understood: Callable[[str], T | None],
) -> AsyncIterator[tuple[int, T]]:
    """`python -m module arguments…` while the block lasts: its id, and what it said.

    `understood` gets each line of its standard output until it makes something of one. Raises
    `BenchmarkFailed`, with the end of its standard error, when it says nothing of the kind.
    """
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which ends it
        )
        try:
            said = await _what_it_says(process, understood)
            if said is None:
                log.seek(0)
                raise BenchmarkFailed(f"{module} does not start: {log.read().decode()[-2000:]}")
            emptying = asyncio.create_task(_empty(process))
            try:
                yield process.pid, said
            finally:
                emptying.cancel()
        finally:
            await _stop(process)


async def _what_it_says(
    process: asyncio.subprocess.Process, understood: Callable[[str], T | None]
) -> T | None:
    assert process.stdout is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_TIMEOUT_S):
            while line := await process.stdout.readline():
                if (said := understood(line.decode())) is not None:
                    return said
    return None


async def _empty(process: asyncio.subprocess.Process) -> None:
    """A pipe that nobody empties would stop the process at its next line."""
    assert process.stdout is not None
    while await process.stdout.readline():
        pass


async def _stop(process: asyncio.subprocess.Process) -> None:
    """With all that it started: what outlives it would hold its pipes, which are waited for."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)  # in order
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it began a session, and so a group
        await process.wait()
