"""Dead letters → the bulk lane again, each confirmed and then noted as replayed."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from cli.dead_letter_table import Totals
from cli.dead_letters import DeadLetter
from schemas import wire
from schemas.errors import CrashedWorker
from schemas.replays import ReplayMark, replay_headers
from stream.io.kafka import KafkaSettings
from stream.io.producer import MessageTooLarge, Producer

SOURCE = "/facestream/rejected"
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Rules:
    """What is not replayed although it was selected."""

    #: when it was replayed last
    last_replay_of: Callable[[DeadLetter], datetime | None]
    again: bool = False
    #: those that killed workers, and may do so again
    crashing: bool = False

    def objection(self, letter: DeadLetter) -> str | None:
        """Why it is left out; `None`: it is replayed."""
        if not letter.record.value:
            return "without bytes"
        if not self.again and self.last_replay_of(letter) is not None:
            return "replayed before (--again includes them)"
        if not self.crashing and letter.rejection.code == CrashedWorker.code:
            return f"they killed workers (--reason {CrashedWorker.code} or a name includes them)"
        return None


@dataclass(slots=True)
class Plan:
    """What would be replayed, and what would not."""

    limit: int | None
    totals: Totals = field(default_factory=Totals)
    left_out: Counter[str] = field(default_factory=Counter)
    #: places and request ids of all that were selected
    names: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, selected: Iterable[DeadLetter], rules: Rules, limit: int | None = None) -> Self:
        plan = cls(limit)
        for letter in selected:
            plan.names |= letter.names
            objection = rules.objection(letter)
            if objection is not None:
                plan.left_out[objection] += 1
            elif limit is None or plan.count < limit:
                plan.totals.take(letter)
        return plan

    @property
    def count(self) -> int:
        return self.totals.count

    def again(self, selected: Iterable[DeadLetter], rules: Rules) -> Iterator[DeadLetter]:
        """Those of the plan, from the same selection read once more."""
        meant = (letter for letter in selected if rules.objection(letter) is None)
        return itertools.islice(meant, self.count)


@dataclass(slots=True)
class Sent:
    """How it went; `refused`: why, by the dead letter's place."""

    sent: int = 0
    refused: dict[str, str] = field(default_factory=dict)


async def send(settings: KafkaSettings, letters: Iterator[DeadLetter]) -> Sent:
    """Send all of them, each confirmed by the broker before it is noted as replayed.

    One that was sent and could not be noted any more may be sent twice; its result has the same id
    then. Raises `SendFailed`, and what `letters` raises.
    """
    done = Sent()
    async with Producer(settings.librdkafka(log_level=0)) as producer:
        while batch := await asyncio.to_thread(list, itertools.islice(letters, _AT_ONCE)):
            sent = await asyncio.gather(*(_send(settings, producer, letter) for letter in batch))
            for letter, refusal in zip(batch, sent, strict=True):
                if refusal is None:
                    done.sent += 1
                else:
                    done.refused[letter.place_name] = refusal
    return done


async def _send(settings: KafkaSettings, producer: Producer, letter: DeadLetter) -> str | None:
    """`None`, or why its topic does not take it."""
    record = letter.record
    try:
        await producer.send(
            settings.topics.images,
            record.value,
            key=record.key,
            headers=replay_headers(letter.rejection, record.headers, record.value),
        )
    except MessageTooLarge:
        return f"larger than {settings.topics.images} takes"
    mark = ReplayMark(
        partition=record.partition,
        offset=record.offset,
        rejected_at_ms=record.timestamp_ms,
        replayed_at_ms=round(time.time() * 1000),
    )
    headers = wire.cloud_event(wire.REPLAY_TYPE, event_id=str(uuid.uuid4()), source=SOURCE)
    key = letter.place_name.encode()
    await producer.send(settings.topics.replayed, wire.dumps(mark), key=key, headers=headers)
    return None
