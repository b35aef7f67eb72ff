"""Faust's Kafka driver, mended where it loses, repeats or stalls events. For every broker.

Each point was measured on Faust 0.15.3 with aiokafka 0.14:

* At a revocation it forgets its acks before it commits them; while a commit is in progress it makes
  no other, and what it failed to commit it does not commit again: here the work in hand is finished
  and committed first, up to the last ack, so that a rebalance repeats nothing.
* A worker with a stable group instance id never leaves its group: here one that stops does.
* A partition whose fetching is taken up again waits for the poll in progress, up to a second: here
  the poll is woken.
* While fetched records of any partition wait, aiokafka asks their broker for no others for 0.1 s: a
  caller's request would wait for the bulk lane. Here it asks after 10 ms; at once, it would leave
  out the partition whose record is just being taken. A fetch that leaves out partitions waits for
  the others, with Faust for 1.5 s: here for less.
* Only aiokafka knows whether the group still takes our heartbeats: here the lease is told.
* aiokafka takes an offset fetch that failed as a whole for "nothing is committed" and begins the
  partition anew: while its coordinator moved, a group did all of its events again.
* With the broker away, aiokafka asks for metadata without a pause and burns a core.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport

from stream.io.event_loop import new_event_loop
from stream.io.thread_names import name_thread

_METADATA_PAUSE_S = 0.25
_PREFETCH_BACKOFF_S = 0.01
_FETCH_MAX_WAIT_MS = 100
_NO_PARTITION_WAIT_S = 1.0


class ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """Faust's thread of the consumer, whose fetches wait for less long."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        name_thread("kafka-consumer")  # it is called in it
        consumer = super()._create_worker_consumer(transport)
        shorter_ms = min(consumer._fetch_max_wait_ms, _FETCH_MAX_WAIT_MS)  # noqa: SLF001 - no setting
        consumer._fetch_max_wait_ms = shorter_ms  # noqa: SLF001
        return consumer


class Consumer(FaustConsumer):  # type: ignore[misc]  # Faust ships no types
    """Faust's consumer, which settles before it gives partitions away."""

    logger = logging.getLogger("faust.consumer")  # Faust would log as this module

    #: finishes what is in work; called with the flow stopped, before the commit
    before_revocation: Callable[[], Awaitable[None]]
    #: called once the partitions are given away
    after_revocation: Callable[[], None]
    #: called with the time at which a heartbeat was sent that the group has taken
    heartbeat_taken: Callable[[float], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetchable = asyncio.Event()
        #: by partition held: what is to be committed when it is given away
        self._acked_to: dict[Any, int] = {}
        self.before_revocation = self.app.before_revocation
        self.after_revocation = self.app.after_revocation
        self.heartbeat_taken = self.app.lease.renew

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(
            self, loop=self.loop, thread_loop=new_event_loop(), beacon=self.beacon
        )

    async def settle_and_commit(self) -> None:
        """Stop the flow, finish what is in work, commit it."""
        self.stop_flow()
        await self.before_revocation()
        await self.maybe_wait_for_commit_to_finish()
        acked = {tp: offset for tp, offset in self._acked_to.items() if tp in self.assignment()}
        if acked and await self._commit(acked):
            self._committed_offset.update(acked)

    def ack(self, message: Any) -> bool:
        """Acks come in the order of their offsets (stream/ledger.py)."""
        self._acked_to[message.tp] = message.offset + 1
        return bool(super().ack(message))

    def leave_for_good(self) -> None:
        """Let the others have the partitions at the stop, and not when the session has ended.

        A stable group instance id keeps its share for a worker that will be back: aiokafka leaves
        the group only without one.
        """
        consumer = self._thread._consumer  # noqa: SLF001 - none before it has started
        if consumer is not None and consumer._coordinator is not None:  # noqa: SLF001
            consumer._coordinator._group_instance_id = None  # noqa: SLF001 - no setting

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        if self.assignment():
            await self.settle_and_commit()
        await super().on_partitions_revoked(revoked)
        self._buffered_partitions.clear()
        self._acked_to.clear()
        self.after_revocation()

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        self._listen_to_heartbeats()
        fetcher = self._thread._ensure_consumer()._fetcher  # noqa: SLF001 - no setting
        fetcher._prefetch_backoff = _PREFETCH_BACKOFF_S  # noqa: SLF001
        await super().on_partitions_assigned(assigned, generation_id)

    def _listen_to_heartbeats(self) -> None:
        coordinator = self._thread._ensure_consumer()._coordinator  # noqa: SLF001 - it tells nobody
        heartbeat = coordinator._do_heartbeat  # noqa: SLF001
        if hasattr(heartbeat, "told"):
            return

        async def heartbeat_and_tell() -> bool:
            sent_at = time.monotonic()
            taken = bool(await heartbeat())
            if taken:
                self.loop.call_soon_threadsafe(self.heartbeat_taken, sent_at)
            return taken

        heartbeat_and_tell.told = True  # type: ignore[attr-defined]  # a mark
        coordinator._do_heartbeat = heartbeat_and_tell  # noqa: SLF001

    def lag(self) -> dict[Any, int]:
        """Events not yet committed, by partition held; no request is sent, for what is known.

        The end is that of the last fetch. Where nothing was committed ever, it counts from the
        position, which is ahead by what was fetched.
        """
        consumer = self._thread._consumer  # noqa: SLF001 - Faust tells no position without a request
        subscription = consumer and consumer._subscription.subscription  # noqa: SLF001
        if not subscription or subscription.assignment is None:
            return {}
        lag = {}
        for tp in self.assignment():
            state = subscription.assignment.state_value(tp)
            done = self._committed_offset.get(tp)
            if done is None and state is not None and state.has_valid_position:
                done = state.position
            if done is not None and state is not None and state.highwater is not None:
                lag[tp] = max(0, state.highwater - done)
        return lag

    def on_buffer_drop(self, tp: Any) -> None:
        super().on_buffer_drop(tp)
        self._fetchable.set()
        self._thread.thread_loop.call_soon_threadsafe(self._wake_poll)

    def _wake_poll(self) -> None:
        fetcher = self._thread._ensure_consumer()._fetcher  # noqa: SLF001 - no public way to wake it
        for waiter in list(fetcher._fetch_waiters):  # noqa: SLF001
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        if self.flow_active and not self._get_active_partitions():
            # Faust would sleep a second here, whatever becomes fetchable meanwhile
            self._fetchable.clear()
            try:
                await asyncio.wait_for(self._fetchable.wait(), _NO_PARTITION_WAIT_S)
            except TimeoutError:
                return {}, None
        return await super()._wait_next_records(timeout)


class Transport(FaustTransport):  # type: ignore[misc]  # Faust ships no types
    """Faust's transport with the consumer above."""

    Consumer = Consumer


def pause_between_metadata_requests() -> None:
    """Make aiokafka wait a quarter of a second after a metadata request that failed. Once."""
    update = AIOKafkaClient._metadata_update  # noqa: SLF001 - aiokafka has no setting for it
    if hasattr(update, "paused"):
        return

    async def update_or_pause(self: Any, cluster_metadata: Any, topics: Any) -> bool:
        updated = bool(await update(self, cluster_metadata, topics))
        if not updated:
            await asyncio.sleep(_METADATA_PAUSE_S)
        return updated

    update_or_pause.paused = True  # type: ignore[attr-defined]  # a mark
    AIOKafkaClient._metadata_update = update_or_pause  # noqa: SLF001


def heed_errors_of_offset_fetches() -> None:
    """Make aiokafka look at the error of a whole response, which version 2 of it brought. Once."""
    send = GroupCoordinator._send_req  # noqa: SLF001 - aiokafka has no hook there
    if hasattr(send, "heeding"):
        return

    async def send_and_heed(self: Any, request: Any) -> Any:
        response = await send(self, request)
        code: int = getattr(response, "error_code", 0)
        if code and isinstance(request, OffsetFetchRequest):
            error = for_code(code)
            if error is NotCoordinatorForGroupError:
                self.coordinator_dead()
            raise error(self.group_id)
        return response

    send_and_heed.heeding = True  # type: ignore[attr-defined]  # a mark
    GroupCoordinator._send_req = send_and_heed  # noqa: SLF001
