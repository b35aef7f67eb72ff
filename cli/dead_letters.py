"""The dead letters as they lie on their topic: which of them are meant, and which were replayed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Self

from pydantic import ValidationError

from cli.following import Record
from cli.snapshot import Snapshot
from schemas.replays import Rejection, ReplayMark, rejection_of, request_id_of
from stream.io.kafka import KafkaSettings

_PLACE = re.compile(r"(\d{1,9}):(\d{1,18})")
_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

#: partition and offset on the topic of dead letters
Place = tuple[int, int]


@dataclass(frozen=True)
class DeadLetter:
    """A record of the topic, and what its headers say."""

    record: Record
    rejection: Rejection

    @classmethod
    def of(cls, record: Record) -> Self | None:
        """`None` for a record that is none."""
        rejection = rejection_of(record.headers)
        return None if rejection is None else cls(record, rejection)

    @property
    def place(self) -> Place:
        return self.record.partition, self.record.offset

    @property
    def place_name(self) -> str:
        """`PARTITION:OFFSET`"""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def names(self) -> set[str]:
        """What it may be called by."""
        return {self.place_name, self.request_id}

    @property
    def rejected_at(self) -> datetime:
        return datetime.fromtimestamp(self.record.timestamp_ms / 1000, UTC)

    @cached_property
    def request_id(self) -> str:
        return request_id_of(self.rejection, self.record.headers, self.record.value)

    @property
    def origin(self) -> str:
        """Where it stood before it was rejected."""
        rejection = self.rejection
        return f"{rejection.topic}[{rejection.partition}]@{rejection.offset}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant; empty means all."""

    reasons: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: the original one, with its prefix or without
    topic: str | None = None
    #: `PARTITION:OFFSET` each, or a request's id
    named: Collection[str] = ()

    @property
    def places(self) -> set[Place] | None:
        """Those that are named; `None` where something else than places is meant."""
        found = [_PLACE.fullmatch(name) for name in self.named]
        places = {(int(match[1]), int(match[2])) for match in found if match}
        return places if found and all(found) else None

    def takes(self, letter: DeadLetter, prefix: str = "") -> bool:
        """Whether this one is meant. `prefix`: what topics may be named without."""
        rejection = letter.rejection
        return (
            (not self.reasons or rejection.code in self.reasons)
            and (self.since is None or letter.rejected_at >= self.since)
            and (self.until is None or letter.rejected_at <= self.until)
            and (self.topic is None or rejection.topic in (self.topic, prefix + self.topic))
            and (not self.named or not letter.names.isdisjoint(self.named))
        )


class DeadLetters(Snapshot):
    """`with DeadLetters(settings) as letters:` those that are there when the block begins."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings, settings.topics.rejected)
        self._prefix = settings.topic_prefix
        #: records of the last selection that are no dead letters
        self.foreign = 0

    def select(self, selection: Selection) -> Iterator[DeadLetter]:
        """Those that are meant, partition by partition as they lie."""
        self.foreign = 0
        for record in self.read(selection.places):
            letter = DeadLetter.of(record)
            if letter is None:
                self.foreign += 1
            elif selection.takes(letter, self._prefix):
                yield letter


class Replays:
    """When which dead letter was replayed."""

    def __init__(self, marks: Iterable[ReplayMark] = ()) -> None:
        self._last_ms = {
            (mark.partition, mark.offset, mark.rejected_at_ms): mark.replayed_at_ms
            for mark in marks
        }

    @classmethod
    def read(cls, settings: KafkaSettings) -> Self:
        """Raises `BrokerAway`, `TopicMissing`, `KafkaException`."""
        with Snapshot(settings, settings.topics.replayed) as snapshot:
            return cls(mark for record in snapshot.read() if (mark := _mark(record)) is not None)

    def last_of(self, letter: DeadLetter) -> datetime | None:
        """`None` for one that was not replayed."""
        last_ms = self._last_ms.get((*letter.place, letter.record.timestamp_ms))
        return None if last_ms is None else datetime.fromtimestamp(last_ms / 1000, UTC)


def moment(text: str, now: datetime) -> datetime:
    """`2h` (ago), `30m`, `7d`, or an ISO date or time; without a zone it is local.

    Raises `ValueError`.
    """
    duration = _DURATION.fullmatch(text.strip())
    if duration is not None:
        return now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
    return datetime.fromisoformat(text).astimezone()


def _mark(record: Record) -> ReplayMark | None:
    try:
        return ReplayMark.model_validate_json(record.value or b"")
    except ValidationError:
        return None
