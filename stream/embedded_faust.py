"""What Faust needs on the embedded broker, in one place. Never active on a real one.

* The group of librdkafka's mock cluster is up as soon as the leader has synced, and a follower that
  syncs later gets INVALID_REQUEST. aiokafka takes that for fatal: the worker lives on without
  partitions.
* It lets a member that joins later wait for nearly the others' session: here those that are
  started together join together.
* It takes no commit while it shares out anew, where Kafka does: at each stop of two workers
  aiokafka would tell an error for every partition. What was not committed is done again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

#: the leader gives its followers so long to send their SyncGroup before its own
LEADER_PAUSE_S = 0.1
_LOADED = ".loaded"
_OTHERS_S = 3.0
_LOOK_S = 0.02


async def join_together(notes: Path, members: int) -> None:
    """Wait until so many workers of one supervisor have come as far, but not for long.

    notes: this worker's file of crash notes, which lies beside the others'.
    """
    notes.with_suffix(_LOADED).touch()
    ends_at = time.monotonic() + _OTHERS_S
    while (  # noqa: ASYNC110 - other processes tell no event
        len(list(notes.parent.glob(f"*{_LOADED}"))) < members and time.monotonic() < ends_at
    ):
        await asyncio.sleep(_LOOK_S)


def adjust_faust_for_embedded() -> None:
    """Patch aiokafka's group coordinator, in this process, once: followers sync first, and what the
    mock refuses is no error to be told.

    For a process that was told that its broker is the embedded one (`kafka_embedded`).
    """
    from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance
    from aiokafka.errors import InvalidRequestError, KafkaError, RebalanceInProgressError

    lead = CoordinatorGroupRebalance._on_join_leader  # noqa: SLF001  # aiokafka has no hook there
    follow = CoordinatorGroupRebalance._on_join_follower  # noqa: SLF001
    if hasattr(lead, "adjusted_for_embedded"):
        return

    def is_told(record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any(isinstance(each, RebalanceInProgressError) for each in arguments)

    async def lead_last(self: Any, response: Any) -> bytes | None:
        if len(response.members) > 1:
            await asyncio.sleep(LEADER_PAUSE_S)
        assignment: bytes | None = await lead(self, response)
        return assignment

    async def follow_or_rejoin(self: Any) -> bytes | None:
        try:
            assignment: bytes | None = await follow(self)
        except KafkaError as error:
            # aiokafka wraps the broker's answer into the text of a general error
            if InvalidRequestError.__name__ not in str(error):
                raise
            return None  # too late for this generation: aiokafka joins anew
        return assignment

    logging.getLogger(CoordinatorGroupRebalance.__module__).addFilter(is_told)
    lead_last.adjusted_for_embedded = True  # type: ignore[attr-defined]  # a mark
    CoordinatorGroupRebalance._on_join_leader = lead_last  # noqa: SLF001
    CoordinatorGroupRebalance._on_join_follower = follow_or_rejoin  # noqa: SLF001
