"""aiokafka's consumer in the app's own loop, in the place of Faust's thread of it.

Each point was measured on Faust 0.15.3 with aiokafka 0.14:

* Faust keeps it in a thread with a loop of its own, so that a blocked app still sends heartbeats.
  Ours is never blocked, and would lose its lease if it were; each fetch woke two threads, which
  handed the interpreter's lock to and fro for 0.1 to 0.2 ms of a core, and a caller's request
  waited for both.
* A worker with a stable group instance id never leaves its group, nor does one whose group shares
  out anew while it stops: here one that stops does.
* A partition whose fetching is taken up again waits for the poll in progress, up to a second: here
  the poll is woken.
* While fetched records of any partition wait, aiokafka asks their broker for no others for 0.1 s: a
  caller's request would wait for the bulk lane. Here it asks after 10 ms; at once, it would leave
  out the partition whose record is just being taken. A fetch that leaves out partitions waits for
  the others, with Faust for 1.5 s: here as long as the app says.
* It asks for the next event as soon as it has one: here no sooner than the app says, and once that
  one is begun, for the request would be made while the compute thread waits for the interpreter.
* Only aiokafka knows whether the group still takes our heartbeats: here the lease is told.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.utils.futures import maybe_async

_PREFETCH_BACKOFF_S = 0.01
#: for what was taken to be begun
_BEGIN_S = 0.002
#: uvloop's timers are as fine as this, and end too soon by up to as much
_TIMER_S = 0.001
_LEAVE_S = 1.0

log = logging.getLogger(__name__)


class ConsumerInLoop(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """What Faust's consumer takes for its thread."""

    logger = logging.getLogger("faust.consumer")  # Faust would log as this module

    #: when records were taken last, time.monotonic(); not of those that followed at once
    _taken_at = -math.inf

    async def start(self) -> None:
        self._thread_started.set()
        await self._default_start()

    async def on_start(self) -> None:
        await super().on_start()
        self._pace_fetches()
        self._tell_of_heartbeats()

    async def on_stop(self) -> None:
        await self._shutdown_thread()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))

    async def getmany(self, *args: Any, **kwargs: Any) -> dict[Any, list[Any]]:
        records: dict[Any, list[Any]] = await super().getmany(*args, **kwargs)
        now = time.monotonic()
        # records that come one after the other would keep it from asking at all
        if records and now - self._taken_at > 2 * _BEGIN_S:
            self._taken_at = now
        return records

    def close(self) -> None:
        """Nothing: at a rebalance while it stops, Faust would cut the connection, and not leave."""

    @property
    def _coordinator(self) -> Any:
        """aiokafka's side of the group; none before it has started."""
        return self._consumer and self._consumer._coordinator  # noqa: SLF001 - no public way to it

    @property
    def _fetcher(self) -> Any:
        return self._ensure_consumer()._fetcher  # noqa: SLF001 - no public way to it

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
        committed = await self._coordinator.fetch_committed_offsets(list(assignment.tps))
        if not assignment.active:
            raise IllegalStateError("another share came meanwhile")
        for tp, found in committed.items():
            self._fetcher.seek_to(tp, found.offset)
        never = assignment.tps - committed.keys()
        self._fetcher.request_offset_reset(never, OffsetResetStrategy.EARLIEST)
        return {tp: found.offset for tp, found in committed.items()}

    def positions_and_ends(self) -> dict[Any, tuple[int | None, int | None]]:
        """Of each partition held: the next offset to be fetched, and the log's end at the last
        fetch. No request is sent; `None` for what is not known."""
        subscription = self._consumer and self._consumer._subscription.subscription  # noqa: SLF001
        if not subscription or subscription.assignment is None:
            return {}
        assignment = subscription.assignment
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        return {
            tp: (state.position if state.has_valid_position else None, state.highwater)
            for tp, state in states.items()
        }

    async def leave(self) -> None:
        """Let the others have the partitions at the stop, and not when the session has ended.

        A stable group instance id keeps its share for a worker that will be back: aiokafka leaves
        the group only without one. It goes while all else still runs, for the group may be sharing
        out anew, and ask for a commit.
        """
        coordinator = self._coordinator
        if coordinator is None:
            return
        coordinator._group_instance_id = None  # noqa: SLF001 - no setting
        # The first waits for a share that is under way, and leaves then; the second leaves at once.
        for part in (coordinator.close, self._leave_at_once):
            try:
                await asyncio.wait_for(part(), _LEAVE_S)
            except (TimeoutError, KafkaError) as error:
                log.debug("has not left its group yet: %r", error)

    async def _leave_at_once(self) -> None:
        """Leave a group that was not left by closing.

        Not on the connection to the coordinator: there it would stand in line behind a join.
        """
        coordinator = self._coordinator
        if coordinator.generation > 0 and coordinator.coordinator_id is not None:
            request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
            await self._consumer._client.send(coordinator.coordinator_id, request)  # noqa: SLF001

    def _pace_fetches(self) -> None:
        """Ask a broker no sooner, and let it wait no longer, than the app says now."""
        fetcher = self._fetcher
        fetcher._prefetch_backoff = _PREFETCH_BACKOFF_S  # noqa: SLF001 - no setting
        look = fetcher._get_actions_per_node  # noqa: SLF001 - no hook there
        asked_at: dict[int, float] = {}

        def paced(assignment: Any) -> tuple[Any, ...]:
            begun_in_s = self._taken_at + _BEGIN_S - time.monotonic()
            if begun_in_s > 0:
                return [], {}, begun_in_s + _TIMER_S, False, []  # nothing to do until then
            wait_ms = self.app.fetch_max_wait_ms(fetcher._records)  # noqa: SLF001
            fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001 - no setting
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

        fetcher._get_actions_per_node = paced  # noqa: SLF001

    def _tell_of_heartbeats(self) -> None:
        """The lease is renewed as of the time at which a heartbeat was sent that the group took."""
        heartbeat = self._coordinator._do_heartbeat  # noqa: SLF001 - it tells nobody

        async def heartbeat_and_tell() -> bool:
            sent_at = time.monotonic()
            taken = bool(await heartbeat())
            if taken:
                self.app.lease.renew(sent_at)
            return taken

        self._coordinator._do_heartbeat = heartbeat_and_tell  # noqa: SLF001

    def wake_poll(self) -> None:
        """Let a poll return that waits for records."""
        for waiter in list(self._fetcher._fetch_waiters):  # noqa: SLF001 - no public way to wake it
            if not waiter.done():
                waiter.set_result(None)
