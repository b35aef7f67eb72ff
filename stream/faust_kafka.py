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
* What looks for partitions that hang fails, and the worker with it, where a position is asked for.
* Its thread of the consumer: see stream/consumer_in_loop.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport

from stream.consumer_in_loop import ConsumerInLoop

_POLL_S = 1.0
_AGAIN_S = 0.25
#: so many messages are delivered before agents take them up: their queues hold more
_DELIVERED_AT_ONCE = 16

log = logging.getLogger(__name__)


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

    def _new_consumer_thread(self) -> ConsumerInLoop:
        return ConsumerInLoop(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)

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
            committed = await self._thread.go_back()
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
        """Leave the group; what is done from here on will be done anew."""
        await self._thread.leave()
        self.app.consumer_generation_id = None
        self._done_to.clear()

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
        self._done_to.clear()
        self.on_share(assigned)
        self._between_shares = False
        await super().on_partitions_assigned(assigned, generation_id)

    def lag(self) -> dict[Any, int]:
        """Events not yet committed, by partition held; no request is sent, for what is known.

        The end is that of the last fetch. Where nothing was committed ever, it counts from the
        position, which is ahead by what was fetched.
        """
        lag = {}
        for tp, (position, end) in self._thread.positions_and_ends().items():
            committed = self._committed_offset.get(tp)
            done = position if committed is None else committed
            if done is not None and end is not None:
                lag[tp] = max(0, end - done)
        return lag

    def on_buffer_drop(self, tp: Any) -> None:
        super().on_buffer_drop(tp)
        self._fetchable.set()
        self._thread.wake_poll()


class Transport(FaustTransport):  # type: ignore[misc]  # Faust ships no types
    """Faust's transport with the consumer above."""

    Consumer = Consumer
