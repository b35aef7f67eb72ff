"""The Faust app of a worker alone, which prints what it holds and gets.

Run as `python -m tests.integration.faust_member` with `KAFKA_*` in the environment and the
longest pause of a follower before its first SyncGroup, in seconds, as the argument.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance

from stream.app import build_app
from stream.io import event_loop
from stream.lanes import Work
from stream.settings import WorkerSettings

#: the mock makes a group wait for a session less a second when a member joins later
SESSION_TIMEOUT_S = 3.0


async def main(follower_pause_s: float) -> None:
    settings = WorkerSettings(session_timeout_s=SESSION_TIMEOUT_S)
    if follower_pause_s:
        _pause_first_sync(follower_pause_s)

    async def handle(work: Work) -> None:
        _say(got=(work.event.value or b"").decode())

    async def assigned(app: Any, assigned: set[Any], **_: Any) -> None:
        images = {tp.partition for tp in assigned if tp.topic == settings.topics.images}
        _say(holds=sorted(images))

    def crash(error: BaseException) -> None:
        raise error

    app = build_app(settings, handle, instance_id=None, crash=crash, seconds_each=lambda: 0.0)
    app.on_partitions_assigned.connect(assigned)
    await app.start()
    await asyncio.Event().wait()


def _pause_first_sync(seconds: float) -> None:
    follow = CoordinatorGroupRebalance._on_join_follower
    pauses = [seconds]

    async def follow_late(self: Any) -> Any:
        if pauses:
            await asyncio.sleep(pauses.pop())
        return await follow(self)

    CoordinatorGroupRebalance._on_join_follower = follow_late


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    event_loop.run(main(float(sys.argv[1])))
