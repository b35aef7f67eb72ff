"""A process that ends at Ctrl-C and leaves one behind, which does not, and holds its output."""

from __future__ import annotations

import os
import signal
import sys
import time

_LONG_S = 60

if __name__ == "__main__":
    if (left_behind := os.fork()) == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(_LONG_S)
        os._exit(0)
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    sys.stdout.write(f"{left_behind}\n")
    sys.stdout.flush()
    time.sleep(_LONG_S)
