"""A worker whose models sleep: all of a worker but inference, to see its cost and its growth.

For the supervisor, in place of `stream.worker`.
"""

from __future__ import annotations

from benchmarks.sleeping_models import load_sleeping
from stream import worker


def main() -> None:
    """The process's entry."""
    worker.main(load_sleeping)
