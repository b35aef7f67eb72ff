"""A plain Faust worker that prints what it holds: the adjustments are tested apart from ours.

Run as `python -m tests.integration.faust_member` with `KAFKA_*` in the environment and the
longest pause of a follower before its first SyncGroup, in seconds, as the argument.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from typing import Any

import faust
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance

from stream.embedded_faust import EMBEDDED_APP_SETTINGS, adjust_faust_for_embedded
from stream.io.kafka import KafkaSettings

#: the mock makes a group wait for a session less a second when a member joins later
SESSION_TIMEOUT_S = 3.0


def main(follower_pause_s: float) -> None:
    settings = KafkaSettings()
    if follower_pause_s:
        _pause_first_sync(follower_pause_s)
    adjust_faust_for_embedded()
    app = faust.App(
        f"{settings.topic_prefix}group",
        broker=settings.faust_brokers(),
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=0.5,
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        worker_redirect_stdouts=False,
        datadir=tempfile.mkdtemp(),
        **EMBEDDED_APP_SETTINGS,
    )
    topic = app.topic(settings.topics.images, value_type=bytes, key_type=bytes)

    async def handle(events: Any) -> None:
        async for value in events:
            _say(got=value.decode())

    app.agent(topic)(handle)

    async def assigned(app: Any, assigned: set[Any], **_: Any) -> None:
        _say(holds=sorted(tp.partition for tp in assigned))

    app.on_partitions_assigned.connect(assigned)
    app.finalize()
    faust.Worker(app, loglevel="WARNING", quiet=True).execute_from_commandline()


def _pause_first_sync(seconds: float) -> None:
    follow = CoordinatorGroupRebalance._on_join_follower
    pauses = [seconds]

    async def follow_late(self: Any) -> Any:
        if pauses:
            await asyncio.sleep(pauses.pop())
        return await follow(self)

    CoordinatorGroupRebalance._on_join_follower = follow_late


def _say(**what: Any) -> None:
    # Faust's spinner leaves control characters on the line before
    sys.stdout.write("\n" + json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
