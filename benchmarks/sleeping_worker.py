"""A worker whose models sleep: all of a worker but inference, to see its cost and its growth.

`python -m benchmarks.sleeping_worker` is started by the supervisor as `stream.worker` is.
"""

from __future__ import annotations

from benchmarks.sleeping_models import load_sleeping
from stream import worker

if __name__ == "__main__":
    worker.main(load_sleeping)
