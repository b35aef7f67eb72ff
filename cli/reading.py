"""Following a topic until there is enough, silence, or Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import click
import orjson

from cli.following import Follower, Record
from cli.sinks import Sink

_READ_AT_ONCE = 100
_READ_TIMEOUT_S = 0.2
#: a duplicate comes soon after its twin, when a worker died between result and commit
_IDS_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """When it is enough; None: never."""

    count: int | None = None
    silence_s: float | None = None


def follow(
    follower: Follower,
    sink: Sink,
    limits: Limits,
    interrupted: Callable[[], bool],
    *,
    once: bool,
) -> int:
    """Give the events to `sink`; returns how many it took.

    `once`: they are results, and one that has the id of an earlier one is dropped.
    """
    seen = Seen()
    came = 0
    heard_at = time.monotonic()
    while not interrupted():
        records = follower.read(_READ_AT_ONCE, _READ_TIMEOUT_S)
        for record in records:
            if once and seen.before(record):
                continue
            if sink.take(record):
                came += 1
            else:
                place = f"{record.topic}[{record.partition}]@{record.offset}"
                click.echo(f"{place} is no event of this contract and is left out", err=True)
            if came == limits.count:
                return came
        if records:
            heard_at = time.monotonic()
        elif limits.silence_s is not None and time.monotonic() - heard_at > limits.silence_s:
            break
    return came


class Seen:
    """The ids of the latest results."""

    def __init__(self, most: int = _IDS_REMEMBERED) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def before(self, record: Record) -> bool:
        """Whether a result with this id came before; what has no id never did."""
        try:
            identity = str(orjson.loads(record.value or b"")["id"])
        except (ValueError, KeyError, TypeError):
            return False
        if identity in self._ids:
            return True
        self._ids[identity] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return False


@contextmanager
def until_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the loop, not the process: files are closed in order."""
    caught: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
