"""Faust's Kafka driver, mended where it loses, repeats or stalls events. For every broker.

Each point was measured on Faust 0.15.3 with aiokafka 0.14:

* About a rebalance it throws away what was fetched, and goes back only where something was
  committed; it takes what it left out for a gap of the log, and commits over it. The recovery of
  one rebalance takes up the flow in the midst of the next. Here each time that the flow is taken
  up, and only with a share in hand, every partition begins at what is committed, or at its
  beginning, with no fetch under way; what a fetch brings that began before counts for nothing.
* At a revocation it forgets its acks before it commits them; while a commit is in progress it makes
  no other, and what it failed to commit it does not commit again: here the work in hand is finished
  and committed first, so that a rebalance repeats nothing.
* Around each message it makes four tasks, to hear of a rebalance while it delivers: here none.
* A worker with a stable group instance id never leaves its group, nor does one whose group shares
  out anew while it stops: here one that stops does.
* A partition whose fetching is taken up again waits for the poll in progress, up to a second: here
  the poll is woken.
* While fetched records of any partition wait, aiokafka asks their broker for no others for 0.1 s: a
  caller's request would wait for the bulk lane. Here it asks after 10 ms; at once, it would leave
  out the partition whose record is just being taken. A fetch that leaves out partitions waits for
  the others, with Faust for 1.5 s: here as long as the app says.
* It asks for the next event as soon as it has one: here no sooner than the app says.
* What looks for partitions that hang fails, and the worker with it, where a position is asked for.
* Only aiokafka knows whether the group still takes our heartbeats: here the lease is told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport

from stream.io.event_loop import new_event_loop
from stream.io.thread_names import name_thread

_PREFETCH_BACKOFF_S = 0.01
_POLL_S = 1.0
#: uvloop's timers are as fine as this, and end too soon by up to as much
_TIMER_S = 0.001
_AGAIN_S = 0.25
_LEAVE_S = 1.0
#: so many messages are delivered before agents take them up: their queues hold more
_DELIVERED_AT_ONCE = 16

log = logging.getLogger(__name__)


class ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """Faust's thread of the consumer, whose fetches wait as long as the app says."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        name_thread("kafka-consumer")  # it is called in it
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_max_wait_ms  # noqa: SLF001 - no setting
        return consumer

    @property
    def coordinator(self) -> Any:
        """aiokafka's side of the group; none before it has started."""
        return self._consumer and self._consumer._coordinator  # noqa: SLF001 - no public way to it

    async def go_back(self) -> dict[Any, int]:
        """Set each partition held to what is committed, or to its beginning; returns the committed.

        aiokafka and Faust leave it where it is where nothing is committed. Raises `KafkaError` when
        the group cannot be asked, or has taken the share away meanwhile.
        """
        consumer = self._ensure_consumer()
        subscription = consumer._subscription.subscription  # noqa: SLF001 - each partition would ask
        assignment = subscription.assignment if subscription else None
        if assignment is None:
            return {}
        committed = await self.coordinator.fetch_committed_offsets(list(assignment.tps))
        if not assignment.active:
            raise IllegalStateError("another share came meanwhile")
        fetcher = consumer._fetcher  # noqa: SLF001
        for tp, found in committed.items():
            fetcher.seek_to(tp, found.offset)
        never = assignment.tps - committed.keys()
        fetcher.request_offset_reset(never, OffsetResetStrategy.EARLIEST)
        return {tp: found.offset for tp, found in committed.items()}

    async def leave_at_once(self) -> None:
        """Leave a group that was not left by closing.

        Not on the connection to the coordinator: there it would stand in line behind a join.
        """
        coordinator = self.coordinator
        if coordinator.generation > 0 and coordinator.coordinator_id is not None:
            request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
            await self._consumer._client.send(coordinator.coordinator_id, request)  # noqa: SLF001


class Consumer(FaustConsumer):  # type: ignore[misc]  # Faust ships no types
    """Faust's consumer, which reads a share from what is committed, and settles before it gives
    it away."""

    logger = logging.getLogger("faust.consumer")  # Faust would log as this module

    #: finishes what is in work; called with the flow stopped, before the commit
    before_revocation: Callable[[], Awaitable[None]]
    #: called once the partitions are given away
    after_revocation: Callable[[], None]
    #: called with a new share, before anything of it is delivered
    on_share: Callable[[set[Any]], None]
    #: called with the time at which a heartbeat was sent that the group has taken
    heartbeat_taken: Callable[[float], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetchable = asyncio.Event()
        #: a new one each time that the flow is taken up; none while it is stopped
        self._flow: object | None = None
        #: given away, and no other received yet
        self._between_shares = False
        #: by partition held: one past the last message that is done, and all before it
        self._done_to: dict[Any, int] = {}
        self.before_revocation = self.app.before_revocation
        self.after_revocation = self.app.after_revocation
        self.on_share = self.app.on_share
        self.heartbeat_taken = self.app.lease.renew

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(
            self, loop=self.loop, thread_loop=new_event_loop(), beacon=self.beacon
        )

    def stop_flow(self) -> None:
        super().stop_flow()
        self._flow = None

    def resume_flow(self) -> None:
        """Take the flow up for the share in hand; Faust's recovery of one before may ask late."""
        recovered = self.app.tables.recovery._generation_id  # noqa: SLF001 - it tells nobody
        if not self._between_shares and recovered == self.app.consumer_generation_id:
            super().resume_flow()
            self._flow = object()
            self._fetchable.set()

    async def perform_seek(self) -> None:
        """Nothing: partitions begin at what is committed when the flow is taken up, below."""

    async def _drain_messages(self, fetcher: Any) -> None:
        """Deliver, of each partition, every message from the committed one on, in order."""
        flow = None
        while not (self.should_stop or fetcher.should_stop):
            try:
                if self._flow is None:
                    await self.can_resume_flow.wait()
                elif flow is not self._flow:
                    flow = await self._begin_flow()
                else:
                    await self._fetch_and_deliver(flow)
            except (asyncio.CancelledError, *self.consumer_stopped_errors):
                if not self.app.should_stop:
                    raise
                return

    async def _begin_flow(self) -> object | None:
        flow = self._flow
        try:
            committed = await self._thread.call_thread(self._thread.go_back)
        except KafkaError as error:
            log.warning("has not got back to what is committed, and tries again: %r", error)
            await asyncio.sleep(_AGAIN_S)
            return None
        self._committed_offset.update(committed)
        return flow

    async def _fetch_and_deliver(self, flow: object) -> None:
        active = self._get_active_partitions()
        if not active:
            self._fetchable.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._fetchable.wait(), _POLL_S)
            return
        records = await self._getmany(active, _POLL_S)
        for count, (tp, record) in enumerate(self.scheduler.iterate(records)):
            if flow is not self._flow:
                return
            await self.callback(self._to_message(tp, record))
            if count % _DELIVERED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust looks for what hangs, and dies of a partition whose position is asked for.
        The supervisor and the lanes' progress tell of what hangs."""

    def ack(self, _message: Any) -> bool:
        """Nothing: without its Cython parts Faust acks what it skips, of shares before too."""
        return False

    def done(self, message: Any) -> None:
        """A message is done, and all that were delivered before it (stream/ledger.py).

        One of a share before counts for nothing: the one in hand has still to read it.
        """
        if message.generation_id == self.app.consumer_generation_id:
            self._done_to[message.tp] = message.offset + 1

    async def force_commit(self, *_: Any, **__: Any) -> bool:
        """Commit what is done."""
        held = self.assignment()
        offsets = {
            tp: offset
            for tp, offset in self._done_to.items()
            if tp in held and offset > (self._committed_offset[tp] or 0)
        }
        committed = bool(offsets) and bool(await self._commit(offsets))
        if committed:
            self._committed_offset.update(offsets)
        return committed

    async def settle_and_commit(self) -> None:
        """Stop the flow, finish what is in work, commit it."""
        self.stop_flow()
        await self.before_revocation()
        await self.maybe_wait_for_commit_to_finish()
        await self.force_commit()

    async def leave(self) -> None:
        """Let the others have the partitions at the stop, and not when the session has ended.

        A stable group instance id keeps its share for a worker that will be back: aiokafka leaves
        the group only without one. It goes while all else still runs, for the group may be sharing
        out anew, and ask for a commit.
        """
        coordinator = self._thread.coordinator
        if coordinator is None:
            return
        coordinator._group_instance_id = None  # noqa: SLF001 - no setting
        # The first waits for a share that is under way, and leaves then; the second leaves at once.
        for part in (coordinator.close, self._thread.leave_at_once):
            parting = asyncio.run_coroutine_threadsafe(part(), self._thread.thread_loop)
            try:
                await asyncio.wait_for(asyncio.wrap_future(parting), _LEAVE_S)
            except (TimeoutError, KafkaError) as error:
                log.debug("has not left its group yet: %r", error)
        self.app.consumer_generation_id = None  # what is done from here on will be done anew
        self._done_to.clear()

    def close(self) -> None:
        """Nothing: at a rebalance while it stops, Faust would cut the connection, and not leave."""

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self._between_shares = True
        self.stop_flow()
        if self.assignment():
            await self.settle_and_commit()
        await super().on_partitions_revoked(revoked)
        self._buffered_partitions.clear()
        self._done_to.clear()
        self.after_revocation()

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        self._listen_to_heartbeats()
        fetcher = self._thread._ensure_consumer()._fetcher  # noqa: SLF001 - no setting
        fetcher._prefetch_backoff = _PREFETCH_BACKOFF_S  # noqa: SLF001
        self._pace(fetcher)
        self._done_to.clear()
        self.on_share(assigned)
        self._between_shares = False
        await super().on_partitions_assigned(assigned, generation_id)

    def _pace(self, fetcher: Any) -> None:
        """Ask a broker no sooner, and let it wait no longer, than the app says now."""
        look = fetcher._get_actions_per_node  # noqa: SLF001 - no hook there
        if hasattr(look, "paced"):
            return
        asked_at: dict[int, float] = {}

        def paced(assignment: Any) -> tuple[Any, ...]:
            fetcher._fetch_max_wait_ms = self.app.fetch_max_wait_ms  # noqa: SLF001
            fetches, resets, timeout_s, *others = look(assignment)
            now, pause_s, due = time.monotonic(), self.app.fetch_pause_s, []
            for node, fetch in fetches:
                left_s = asked_at.get(node, 0.0) + pause_s - now
                if left_s > 0:
                    timeout_s = min(timeout_s, left_s + _TIMER_S)
                else:
                    asked_at[node] = now
                    due.append((node, fetch))
            return due, resets, timeout_s, *others

        paced.paced = True  # type: ignore[attr-defined]  # a mark
        fetcher._get_actions_per_node = paced  # noqa: SLF001

    def _listen_to_heartbeats(self) -> None:
        coordinator = self._thread.coordinator
        heartbeat = coordinator._do_heartbeat  # noqa: SLF001 - it tells nobody
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


class Transport(FaustTransport):  # type: ignore[misc]  # Faust ships no types
    """Faust's transport with the consumer above."""

    Consumer = Consumer
