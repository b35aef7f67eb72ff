"""What workers are forked from, with everything imported that they need."""

from __future__ import annotations

import os
import subprocess
import sys

from stream.forked import NATIVE_LIBRARIES


def test_it_has_one_thread_when_it_forks() -> None:
    """A fork copies what other threads have locked, and not the threads."""
    told = subprocess.run(
        [sys.executable, "-c", "import os, stream.worker; print(os.listdir('/proc/self/task'))"],
        env=os.environ | NATIVE_LIBRARIES,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.count("'") == 2
