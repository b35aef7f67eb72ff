"""The Faust agents: one a lane. They only hand events over, and never raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from stream.event import Event, LaneName

if TYPE_CHECKING:
    from stream.app import FaceApp

log = logging.getLogger(__name__)


def add_agent(
    app: FaceApp, topic_name: str, lane: LaneName, deliver: Callable[[Event], None]
) -> None:
    """An agent that delivers the events of a topic to a lane.

    Acks are ours: Faust acks what leaves an agent's loop, also by an error, and its own
    bookkeeping of more than one event in work loses events.
    """
    topic = app.topic(
        topic_name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        allow_empty=True,
    )

    async def intake(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id == app.consumer_generation_id:
                deliver(_to_event(app, message, lane))

    app.agent(topic, name=f"intake-{lane}")(intake)


def _to_event(app: FaceApp, message: Any, lane: LaneName) -> Event:
    return Event(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(message.headers or ()),
        timestamp_ms=None if message.timestamp is None else round(message.timestamp * 1000),
        lane=lane,
        ack=partial(app.consumer.done, message),
    )
