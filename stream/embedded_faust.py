"""What Faust needs on the embedded broker, in one place. Never active on a real one.

Each adjustment answers one way in which librdkafka's mock cluster differs from Kafka:

* Its long poll does not wake on new data, and Faust asks for 1.5 s: events would come that late.
* Its group is up as soon as the leader has synced, and a follower that syncs later gets
  INVALID_REQUEST. aiokafka takes that for fatal: the worker lives on without partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stream.io.kafka import EMBEDDED_FETCH_WAIT_MS

#: settings of the Faust app: the mock knows no CreateTopics
EMBEDDED_APP_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {"topic_allow_declare": False, "topic_disable_leader": True}
)
#: the leader gives its followers so long to send their SyncGroup before its own
LEADER_PAUSE_S = 0.25


def adjust_faust_for_embedded() -> None:
    """Patch Faust's consumer and aiokafka's group coordinator, in this process, once.

    For a process that was told that its broker is the embedded one (`kafka_embedded`).
    """
    _poll_often()
    _let_followers_sync_first()


def _poll_often() -> None:
    from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

    create = AIOKafkaConsumerThread._create_worker_consumer  # noqa: SLF001  # 1500 ms stand in it
    if hasattr(create, "adjusted_for_embedded"):
        return

    def create_polling_often(self: Any, transport: Any) -> Any:
        consumer = create(self, transport)
        consumer._fetch_max_wait_ms = EMBEDDED_FETCH_WAIT_MS  # noqa: SLF001  # read at its start
        return consumer

    create_polling_often.adjusted_for_embedded = True  # type: ignore[attr-defined]  # a mark
    AIOKafkaConsumerThread._create_worker_consumer = create_polling_often  # noqa: SLF001


def _let_followers_sync_first() -> None:
    from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance
    from aiokafka.errors import InvalidRequestError, KafkaError

    lead = CoordinatorGroupRebalance._on_join_leader  # noqa: SLF001  # aiokafka has no hook there
    follow = CoordinatorGroupRebalance._on_join_follower  # noqa: SLF001
    if hasattr(lead, "adjusted_for_embedded"):
        return

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

    lead_last.adjusted_for_embedded = True  # type: ignore[attr-defined]  # a mark
    CoordinatorGroupRebalance._on_join_leader = lead_last  # noqa: SLF001
    CoordinatorGroupRebalance._on_join_follower = follow_or_rejoin  # noqa: SLF001
