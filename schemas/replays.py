"""Dead letters on their way back: what their headers tell, and what is sent and noted of a replay.

A replay goes into the bulk lane whatever it came from: nobody waits for its answer any more, and
only there is it dead-lettered again when it fails again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from schemas import wire
from schemas.requests import claimed_id

_OF_THE_CALLER = frozenset(
    {
        wire.DEADLINE,
        wire.REPLY_TO,
        wire.REPLY_PARTITION,
        wire.CORRELATION_ID,
        wire.SPRING_REPLY_TOPIC,
        wire.SPRING_REPLY_PARTITION,
        wire.SPRING_CORRELATION_ID,
    }
)
_LONGEST_NUMBER = 18


class ReplayMark(BaseModel):
    """A dead letter that was sent again.

    Known by its time too: a topic that was made anew counts its offsets anew.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    partition: int = Field(description="of the dead letter on face.rejected")
    offset: int = Field(description="of the dead letter")
    rejected_at_ms: int = Field(description="epoch milliseconds: its timestamp there")
    replayed_at_ms: int = Field(description="epoch milliseconds")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a dead letter's headers say."""

    code: str
    message: str
    topic: str
    partition: int
    offset: int
    source: str
    #: how often it had been sent again when it was rejected
    replays: int


def rejection_of(headers: Iterable[tuple[str, bytes | None]]) -> Rejection | None:
    """`None` where they are no dead letter's: anybody may write to a topic."""
    by_name = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    partition = _number(by_name.get("facestream_error_partition"))
    offset = _number(by_name.get("facestream_error_offset"))
    code, topic = by_name.get("facestream_error_code"), by_name.get("facestream_error_topic")
    if partition is None or offset is None or not code or not topic:
        return None
    return Rejection(
        code=code,
        message=by_name.get("facestream_error_message", ""),
        topic=topic,
        partition=partition,
        offset=offset,
        source=by_name.get("facestream_error_source", ""),
        replays=_number(by_name.get(wire.REPLAYS)) or 0,
    )


def request_id_of(
    rejection: Rejection, headers: Iterable[tuple[str, bytes | None]], value: bytes | None
) -> str:
    """The id under which its result was published: its producer's, or the one that followed from
    where it stood at first."""
    given = dict(headers).get(wire.REQUEST_ID)
    return (
        claimed_id(value)
        or (given.decode("utf-8", "replace") if given else None)
        or wire.derived_request_id(rejection.topic, rejection.partition, rejection.offset)
    )


def replay_headers(
    rejection: Rejection, original: Iterable[tuple[str, bytes | None]], value: bytes | None
) -> wire.Headers:
    """The original headers in their order, without deadline, reply address and reason; and how
    often it has been sent again. One that has no id of its own keeps the one it had."""
    original = list(original)
    kept = [
        (name, content or b"")
        for name, content in original
        if name not in _OF_THE_CALLER
        and name not in (wire.REPLAYS, wire.REQUEST_ID)
        and not name.startswith(wire.ERROR_PREFIX)
    ]
    if claimed_id(value) is None:
        request_id = request_id_of(rejection, original, value)
        kept.append((wire.REQUEST_ID, request_id.encode()))
    return [*kept, (wire.REPLAYS, str(rejection.replays + 1).encode())]


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        return None
    return int(text)
