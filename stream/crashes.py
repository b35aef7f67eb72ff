"""How often each event was there when a worker died, on any host: said on `face.crashes`."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from pydantic import ValidationError

from schemas import wire
from schemas.crashes import CrashReport
from schemas.topics import Topics
from stream.crash_notes import left_behind
from stream.event import Position
from stream.io.kafka import KafkaSettings
from stream.io.producer import MessageTooLarge, Producer, SendFailed

log = logging.getLogger(__name__)

_POLL_S = 0.2
_ASK_S = 5.0
#: longer than that a start does not wait for the broker
_REPORT_S = 5.0


class CrashLog:
    """Counts the deaths by event, from the topic's beginning on, in a thread of its own.

    `start` it before the `with` block, which begins once everything that was there has been read.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.topics.crashes
        self._deaths: Counter[Position] = Counter()
        self._consumer = Consumer(
            settings.librdkafka(
                **{"group.id": f"{self._topic}.reader", "enable.auto.commit": False}
            )
        )
        self._caught_up = asyncio.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._read,
            args=(asyncio.get_running_loop(),),
            name="crash-log",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def deaths(self, position: Position) -> int:
        """How many workers died while this event was in native code."""
        return self._deaths[position]

    async def __aenter__(self) -> Self:
        try:
            await self._caught_up.wait()
        except asyncio.CancelledError:
            self._stopping.set()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        begin, end = self._watermarks()
        self._consumer.assign([TopicPartition(self._topic, 0, begin)])
        told = False
        while not self._stopping.is_set():
            if begin >= end and not told:
                loop.call_soon_threadsafe(self._caught_up.set)
                told = True
            message = self._consumer.poll(_POLL_S)
            if message is None:
                continue
            if message.error() is not None:
                log.warning("crash log: %s", message.error())
                continue
            begin = (message.offset() or 0) + 1
            self._count(message.value())
        self._consumer.close()

    def _watermarks(self) -> tuple[int, int]:
        while not self._stopping.is_set():
            try:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, 0), timeout=_ASK_S
                )
            except KafkaException as error:
                log.warning("waiting for %s: %s", self._topic, error.args[0].str())
                self._stopping.wait(_ASK_S)
            else:
                return low, high
        return 0, 0

    def _count(self, value: bytes | None) -> None:
        try:
            report = CrashReport.model_validate_json(value or b"")
        except ValidationError:
            log.warning("crash log: a record that is no crash report")
            return
        self._deaths[Position(report.topic, report.partition, report.offset)] += 1


async def tell_of_former(producer: Producer, topics: Topics, folder: Path) -> None:
    """As `tell_of_death`, of workers that died with their supervisor, by the notes that they left.

    What could not be told stays for the next time.
    """
    for path, suspects in left_behind(folder):
        if await tell_of_death(producer, topics, suspects, worker_id=path.stem, exit_code=None):
            path.unlink(missing_ok=True)


async def tell_of_death(
    producer: Producer,
    topics: Topics,
    suspects: list[Position],
    *,
    worker_id: str,
    exit_code: int | None,
) -> bool:
    """Tell every worker what was in native code then, before one takes it up again.

    Returns whether they know now. Does not wait long: a broker that is away holds nobody up.
    """
    if not suspects:
        return True
    log.error("worker %s died over one of %s", worker_id, suspects)
    try:
        async with asyncio.timeout(_REPORT_S):
            await _report(producer, topics, suspects, worker_id, exit_code)
    except (TimeoutError, SendFailed) as error:
        log.warning("the death of %s is not told yet: %r", worker_id, error)
        return False
    return True


async def _report(
    producer: Producer,
    topics: Topics,
    suspects: list[Position],
    worker_id: str,
    exit_code: int | None,
) -> None:
    """A record for each. All are handed over before the first is waited for."""
    now_ms = round(time.time() * 1000)
    sent: list[asyncio.Future[None]] = []
    for suspect in suspects:
        report = CrashReport(
            **suspect._asdict(), worker=worker_id, exit_code=exit_code, at_ms=now_ms
        )
        key = ":".join(map(str, suspect)).encode()
        headers = wire.cloud_event(
            wire.CRASH_TYPE, event_id=str(uuid.uuid4()), source=f"/facestream/workers/{worker_id}"
        )
        try:
            sent.append(
                await producer.enqueue(topics.crashes, wire.dumps(report), key=key, headers=headers)
            )
        except (MessageTooLarge, SendFailed) as error:
            log.warning("the death of %s over %s was not told: %s", worker_id, suspect, error)
    for confirmed in sent:
        await confirmed
