"""The event loop of the long-lived processes: uvloop.

An event crosses threads and sockets many times for little work each; uvloop wakes up for that at
about half of what asyncio's own loop takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import uvloop

T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
