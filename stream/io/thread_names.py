"""Threads by the names that the operating system shows: `top -H`, and whoever counts their time."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_NAME = 15
_MOST_BYTES = 15  # Linux's own limit


def name_thread(name: str) -> None:
    """The calling thread's; Python before 3.14 names threads for itself alone. On Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:_MOST_BYTES], 0, 0, 0)
