"""The Faust app of one worker process: two agents, two lanes, and what binds them."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

import faust
from faust.tables import TableManager as FaustTableManager
from faust.types import TP

from stream import aiokafka_mended
from stream.agents import add_agent
from stream.embedded_faust import adjust_faust_for_embedded
from stream.event import LaneName, Partition, by_topic
from stream.faust_kafka import Transport
from stream.io.kafka import EMBEDDED_EAGER_FETCH_WAIT_MS, EMBEDDED_FETCH_WAIT_MS
from stream.lanes import Lane, LaneLimits, Work
from stream.lease import Lease
from stream.metrics import Load
from stream.settings import WorkerSettings

log = logging.getLogger(__name__)

#: how long a rebalance waits for what is in work
_DRAIN_S = 2.0
#: How long a broker waits for events, at least: a partition that a fetch leaves out waits as long.
#: The embedded one does not wake on new data.
_FETCH_WAIT_MS = 100
_EMBEDDED_FETCH_WAIT_MS = 0
#: at most while nobody has asked yet, or for so long
_UNASKED_FETCH_WAIT_MS = 500
#: From asking a broker to asking it again, for each time costs more than half a millisecond of a
#: core: at least, and at most, which a caller's request waits longer than without.
_FETCH_PAUSE_S = (0.0, 0.01)
_EMBEDDED_FETCH_PAUSE_S = (EMBEDDED_FETCH_WAIT_MS / 1000, 0.04)
#: of the embedded one, at least, with nothing in hand and a caller answered so lately: the next
#: request may follow at once
_EMBEDDED_EAGER_PAUSE_S = EMBEDDED_EAGER_FETCH_WAIT_MS / 1000
_EAGER_S = 0.25
#: at most while nobody has asked yet, or for so long, or behind others who have
_LONGEST_FETCH_PAUSE_S = 0.05
_UNASKED_AFTER_S = 5.0


class TableManager(FaustTableManager):  # type: ignore[misc]  # Faust ships no types
    """Faust's, which keeps a start waiting for a second, in case that there are tables."""

    logger = logging.getLogger("faust.tables")  # Faust would log as this module

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class FaceApp(faust.App):  # type: ignore[misc]  # Faust ships no types
    """A Faust app that owns the two lanes."""

    logger = logging.getLogger("faust.app")  # Faust would log as this module

    lanes: dict[LaneName, Lane]
    #: of the interactive lane
    requests_topic: str
    lease: Lease
    #: on the embedded broker
    embedded: bool
    #: how long it takes to compute an event
    seconds_each: Callable[[], float]
    #: the partitions that this worker reads now
    held: set[Partition]
    #: whether the group has given it any share yet, be it an empty one
    assigned: bool

    def resume(self) -> None:
        """Take up what waited for the lease."""
        for lane in self.lanes.values():
            lane.pump()

    def fetch_max_wait_ms(self, left_out: Iterable[TP]) -> int:
        """Half as long as what was fetched lasts now, within bounds.

        left_out: the partitions whose next events the fetch will not bring: none of a caller's
        waits so long.
        """
        if self.embedded:
            return _EMBEDDED_FETCH_WAIT_MS
        asked = self._asked_within(_UNASKED_AFTER_S)
        if asked or any(tp.topic == self.requests_topic for tp in left_out):
            return _FETCH_WAIT_MS
        fetched = sum(lane.waiting + lane.in_flight for lane in self.lanes.values())
        half_ms = round(1000 * self._half_time_s(fetched))
        return min(max(half_ms, _FETCH_WAIT_MS), _UNASKED_FETCH_WAIT_MS)

    @property
    def fetch_pause_s(self) -> float:
        """Half as long as what is in hand lasts now, within bounds.

        A caller's request would wait for those that are computed before it anyway.
        """
        in_hand = sum(lane.in_flight for lane in self.lanes.values())
        least_s, most_s = _EMBEDDED_FETCH_PAUSE_S if self.embedded else _FETCH_PAUSE_S
        if not self._asked_within(_UNASKED_AFTER_S):
            most_s = _LONGEST_FETCH_PAUSE_S
        else:
            before_s = self._half_time_s(self.lanes["interactive"].busy)
            most_s = min(max(most_s, before_s), _LONGEST_FETCH_PAUSE_S)
            if self.embedded and not in_hand and self._asked_within(_EAGER_S):
                least_s = _EMBEDDED_EAGER_PAUSE_S
        return min(max(self._half_time_s(in_hand), least_s), most_s)

    def _half_time_s(self, events: int) -> float:
        """Seconds that half of so many take."""
        return events * self.seconds_each() / 2

    def _asked_within(self, seconds: float) -> bool:
        asked = self.lanes["interactive"]
        if asked.waiting or asked.in_flight:
            return True
        return bool(asked.settled) and time.time() - asked.progress_at <= seconds

    def load(self) -> Load:
        """What is in hand, and what is still to come."""
        lag = {} if self._consumer is None else self._consumer.lag()
        return Load(
            waiting={name: lane.waiting for name, lane in self.lanes.items()},
            in_flight={name: lane.in_flight for name, lane in self.lanes.items()},
            lag={Partition(tp.topic, tp.partition): events for tp, events in lag.items()},
        )

    async def before_revocation(self) -> None:
        """Finish what is busy, in both lanes at once."""
        await asyncio.gather(*(lane.drain(_DRAIN_S) for lane in self.lanes.values()))

    def after_revocation(self) -> None:
        self.held = set()

    def on_share(self, assigned: Collection[TP]) -> None:
        """What was delivered and not started will be delivered anew."""
        self.held = {Partition(tp.topic, tp.partition) for tp in assigned}
        self.assigned = True
        log.info("holds %s", by_topic(self.held))
        # Without the lease others may have done what is in work, and given the partition back.
        still_ours = self.held if self.lease.held else frozenset[Partition]()
        for lane in self.lanes.values():
            lane.forget_deliveries()
            lane.abandon_others(still_ours)
        self.lease.renew(time.monotonic())

    async def _stop_consumer(self) -> None:
        # another that stops may leave first, and the group share out its partitions meanwhile
        for lane in self.lanes.values():
            lane.closing = True
        if self._consumer is not None:
            if self._consumer.assignment():
                await self._consumer.settle_and_commit()
            await self._consumer.leave()
        await super()._stop_consumer()


def build_app(
    settings: WorkerSettings,
    handle: Callable[[Work], Awaitable[None]],
    *,
    instance_id: str | None,
    crash: Callable[[BaseException], None],
    seconds_each: Callable[[], float],
) -> FaceApp:
    """An app that is ready to be started."""
    aiokafka_mended.mend()
    if settings.kafka_embedded:
        adjust_faust_for_embedded()
    app = FaceApp(settings.consumer_group, **_faust_settings(settings, instance_id))
    app.transport = Transport(app.conf.broker_consumer, app)
    app.embedded = settings.kafka_embedded
    app.seconds_each = seconds_each
    app.lanes = {}
    app.requests_topic = settings.topics.requests
    app.lease = Lease(settings.session_timeout_s, on_renewed=app.resume)
    app.held = set()
    app.assigned = False
    limits = LaneLimits()
    topics: dict[LaneName, str] = {
        "interactive": settings.topics.requests,
        "bulk": settings.topics.images,
    }
    for name, topic in topics.items():
        lane = Lane(
            name=name,
            limits=limits,
            handle=handle,
            on_full=lambda partition: app.consumer.on_buffer_full(TP(*partition)),
            on_drop=lambda partition: app.consumer.on_buffer_drop(TP(*partition)),
            crash=crash,
            lease=app.lease,
        )
        app.lanes[name] = lane
        add_agent(app, topic, name, lane.deliver)
    return app


def _faust_settings(settings: WorkerSettings, instance_id: str | None) -> dict[str, Any]:
    return {
        "broker": settings.faust_brokers(),
        "broker_credentials": settings.faust_credentials(),
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": settings.session_timeout_s / 6,
        "broker_commit_interval": settings.commit_interval_s,
        # Faust's own buffers hold thousands of messages by default: 350 MB of inline images
        "broker_max_poll_records": 50,
        "stream_buffer_maxsize": 64,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": instance_id,
        "stream_wait_empty": False,
        "TableManager": TableManager,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        # Faust makes a folder for tables that we have not, in the working directory by default
        "datadir": tempfile.gettempdir(),
    }
