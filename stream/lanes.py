"""A lane: what was delivered and waits, what is in work, what may be acked, when to stop fetching.

Two lanes live in a worker, interactive and bulk, with places of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stream.event import Event, Partition, Position
from stream.lease import Lease
from stream.ledger import Entry, Ledger


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Bounds of one lane in one worker."""

    #: events in decoding, compute and publishing
    busy: int = 16
    #: events of a partition that wait: with `full` it is no longer fetched, with `low` it is again
    waiting_full: int = 32
    waiting_low: int = 16
    #: bytes of all events that wait
    waiting_bytes: int = 16 * 1024 * 1024
    #: events of a partition from its oldest unsettled one to its newest
    span: int = 256


@dataclass(eq=False, slots=True)
class Work:
    """An event in work. A second delivery of it replaces `event` and `entry`, not the work."""

    event: Event
    entry: Entry
    lane: Lane
    parked: bool = False
    #: what became of it is on its way to the broker, and cannot be taken back
    sending: bool = False
    task: asyncio.Task[None] | None = None

    async def until_sendable(self) -> None:
        """Return, marked as `sending`, when what became of it may be sent: its ack would count."""
        while not (self.lane.lease.held and self.lane.sendable.is_set()):
            await self.lane.lease.wait()
            await self.lane.sendable.wait()
        self.sending = True

    @contextmanager
    def park(self) -> Iterator[None]:
        """While it waits for its image it takes no busy place."""
        self.parked = True
        self.lane.busy -= 1
        self.lane.pump()
        try:
            yield
        finally:
            self.parked = False
            self.lane.busy += 1


@dataclass(eq=False, slots=True)
class Lane:
    """Admits delivered events to work and acks them in order once they are settled."""

    name: str
    limits: LaneLimits
    handle: Callable[[Work], Awaitable[None]]
    on_full: Callable[[Partition], None]
    on_drop: Callable[[Partition], None]
    #: called with an error that leaves an event unsettled: only a new start delivers it again
    crash: Callable[[BaseException], None]
    #: without it nothing is begun or published
    lease: Lease = field(default_factory=Lease)
    #: the worker stops: what a rebalance still brings is for others
    closing: bool = False
    busy: int = 0
    settled: int = 0
    progress_at: float = field(default_factory=time.time)
    #: not from the end of a drain on, until it is known whose what is in work is now
    sendable: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: deque[tuple[Event, Entry]] = field(default_factory=deque)
    _waiting_by_partition: Counter[Partition] = field(default_factory=Counter)
    _waiting_bytes: int = 0
    _ledgers: defaultdict[Partition, Ledger] = field(default_factory=lambda: defaultdict(Ledger))
    _works: dict[Position, Work] = field(default_factory=dict)
    _full: set[Partition] = field(default_factory=set)
    _draining: bool = False

    def __post_init__(self) -> None:
        self.sendable.set()

    def deliver(self, event: Event) -> None:
        """Take an event in; one whose first delivery is still in work joins that work."""
        if self._draining or self.closing:
            return  # unacked, it is delivered again
        if event.source in self._full:
            self.on_full(event.source)  # Faust's own queue has taken up its fetching
        entry = Entry(event.offset, event.ack)
        if not self._ledgers[event.source].deliver(entry):
            return
        work = self._works.get(event.position)
        if work is not None:
            work.event, work.entry = event, entry
            return
        self._waiting.append((event, entry))
        self._waiting_by_partition[event.source] += 1
        self._waiting_bytes += event.size_bytes
        self.pump()
        self._regulate(event.source)

    def pump(self) -> None:
        """Admit what waits while there is a busy place."""
        while self._waiting and self.busy < self.limits.busy and self.lease.held:
            event, entry = self._waiting.popleft()
            self._waiting_by_partition[event.source] -= 1
            self._waiting_bytes -= event.size_bytes
            work = Work(event, entry, self)
            self._works[event.position] = work
            self.busy += 1
            work.task = asyncio.create_task(self._run(work))
        self._regulate_full()

    async def _run(self, work: Work) -> None:
        position = work.event.position
        try:
            await self.handle(work)
            self._settle(work)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - handed to the worker, which stops
            self.crash(error)
        finally:
            del self._works[position]
            self.busy -= 1
            self.pump()

    def _settle(self, work: Work) -> None:
        self._ledgers[work.event.source].settle(work.entry)
        self.settled += 1
        self.progress_at = time.time()

    def _regulate_full(self) -> None:
        for partition in tuple(self._full):
            self._regulate(partition)

    def _regulate(self, partition: Partition) -> None:
        """Stop fetching a partition that has enough in hand, and fetch one that has not."""
        waiting = self._waiting_by_partition[partition]
        span = self._ledgers[partition].span
        limits = self.limits
        if partition not in self._full:
            if (
                waiting >= limits.waiting_full
                or span >= limits.span
                or self._waiting_bytes >= limits.waiting_bytes
            ):
                self._full.add(partition)
                self.on_full(partition)
        elif (
            waiting <= limits.waiting_low
            and span < limits.span
            and self._waiting_bytes < limits.waiting_bytes
        ):
            self._full.discard(partition)
            self.on_drop(partition)

    def forget_deliveries(self) -> None:
        """With a new share: what waits will be delivered anew, what is in work goes on."""
        self._draining = False
        self.sendable.set()
        self._clear_waiting()
        self._ledgers.clear()
        self._full.clear()

    def abandon_others(self, held: Collection[Partition]) -> None:
        """At an assignment: stop what is in work for partitions that are not among these."""
        for work in self._works.values():
            if work.event.source not in held and work.task is not None:
                work.task.cancel()

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more in; wait until what is busy is settled, or the time is over.

        It lasts until `forget_deliveries`. What waits for its image is left, to be delivered again,
        unless a newer event of its partition is busy or settled: that one could not be acked, and
        would be done twice. Without the lease nothing would be settled: what is not yet sent is
        given up. Once it ends nothing is sent any more, for an ack would count for nothing.
        """
        self._draining = True
        await self._drain(timeout_s)
        self.sendable.clear()

    async def _drain(self, timeout_s: float) -> None:
        self._clear_waiting()
        newest = {partition: ledger.newest_settled for partition, ledger in self._ledgers.items()}
        for work in self._works.values():
            if not work.parked:
                source, offset = work.event.source, work.event.offset
                newest[source] = max(newest.get(source, offset), offset)
        for work in self._works.values():
            nothing_newer = work.event.offset > newest.get(work.event.source, -1)
            if work.parked and nothing_newer and work.task is not None:
                work.task.cancel()
        deadline = time.monotonic() + timeout_s
        while busy := [work.task for work in self._works.values() if work.task is not None]:
            left_s = deadline - time.monotonic()
            if not self.lease.held:
                await _stop(work for work in self._works.values() if not work.sending)
                return
            if left_s <= 0:
                return
            await asyncio.wait(busy, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)

    def _clear_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_by_partition.clear()
        self._waiting_bytes = 0

    async def cancel(self) -> None:
        """Take nothing more in and stop what is in work; unacked, it is delivered again."""
        self._draining = True
        self._clear_waiting()
        await _stop(self._works.values())

    @property
    def in_flight(self) -> int:
        return len(self._works)

    @property
    def waiting(self) -> int:
        return len(self._waiting)


async def _stop(works: Iterable[Work]) -> None:
    """Returns when they have ended: a delivery that joined one before would be lost with it."""
    tasks = [work.task for work in works if work.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
