"""Bytes and headers: how requests, results and dead letters look on Kafka.

CloudEvents in binary mode; Spring's names for a reply address are understood and answered in kind.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import orjson
from pydantic import BaseModel

from schemas.errors import FacestreamError, InvalidRequest
from schemas.requests import MAX_ID_CHARS
from schemas.results import ModelInfo
from schemas.topics import Operation

Headers = list[tuple[str, bytes]]

JSON = b"application/json"
REQUEST_TYPE = "facestream.request.v1"
REJECTED_TYPE = "facestream.rejected.v1"
WORKER_TYPE = "facestream.worker.v1"
CRASH_TYPE = "facestream.crash.v1"
REPLAY_TYPE = "facestream.replay.v1"
RESULT_TYPES: dict[Operation | None, str] = {
    "detect": "facestream.detection.v1",
    "embed": "facestream.embedding.v1",
    "analyze": "facestream.analysis.v1",
    None: "facestream.failure.v1",
}

CORRELATION_ID = "correlation_id"
REPLY_TO = "reply_to"
REPLY_PARTITION = "reply_partition"
DEADLINE = "deadline"
TRACEPARENT = "traceparent"
#: the id of a request that names none, where it was sent again from elsewhere
REQUEST_ID = "facestream_request_id"
#: how often a dead letter was sent again; stays with it when it is rejected again
REPLAYS = "facestream_replays"
ERROR_PREFIX = "facestream_error_"
SPRING_CORRELATION_ID = "kafka_correlationId"
SPRING_REPLY_TOPIC = "kafka_replyTopic"
SPRING_REPLY_PARTITION = "kafka_replyPartition"

_LAST_PARTITION = 2**31 - 1  # Kafka numbers them with 32 bits
_RESULT_IDS = uuid.UUID("5f1a5c0e-6d1f-5d0a-9c55-0f4b6b1f6a5e")


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where an answer goes, and the bytes by which its caller knows it."""

    topic: str
    partition: int | None
    correlation_id: bytes | None
    spring: bool = False


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """What a request's headers say."""

    reply: ReplyAddress | None = None
    deadline_ms: int | None = None
    traceparent: bytes | None = None
    #: counts where the request itself names none
    request_id: str | None = None


def dumps(model: BaseModel) -> bytes:
    """A model as the JSON bytes that go on the wire."""
    return orjson.dumps(model.model_dump(mode="python"))


def parse_headers(headers: Iterable[tuple[str, bytes | None]]) -> RequestHeaders:
    """Headers → what they ask for. Raises `InvalidRequest` on numbers that are none."""
    by_name = {name: value for name, value in headers if value is not None}
    deadline, request_id = by_name.get(DEADLINE), by_name.get(REQUEST_ID)
    return RequestHeaders(
        reply=parse_reply_address(by_name),
        deadline_ms=None if deadline is None else _decimal(DEADLINE, deadline),
        traceparent=by_name.get(TRACEPARENT),
        request_id=None if request_id is None else _request_id(request_id),
    )


def usable_reply_address(headers: Iterable[tuple[str, bytes | None]]) -> ReplyAddress | None:
    """The reply address alone, whatever else the headers say; `None` where it is none."""
    try:
        return parse_reply_address({name: value for name, value in headers if value is not None})
    except InvalidRequest:
        return None


def parse_reply_address(by_name: dict[str, bytes]) -> ReplyAddress | None:
    """The reply address, in our names or in Spring's. Raises `InvalidRequest`."""
    if REPLY_TO in by_name:
        named = by_name.get(REPLY_PARTITION)
        return ReplyAddress(
            topic=_text(REPLY_TO, by_name[REPLY_TO]),
            partition=None if named is None else _partition(named),
            correlation_id=by_name.get(CORRELATION_ID),
        )
    if SPRING_REPLY_TOPIC in by_name:
        packed = by_name.get(SPRING_REPLY_PARTITION)
        if packed is not None and (len(packed) != 4 or packed[0] & 0x80):
            raise InvalidRequest(f"header {SPRING_REPLY_PARTITION} is no 4-byte partition")
        return ReplyAddress(
            topic=_text(SPRING_REPLY_TOPIC, by_name[SPRING_REPLY_TOPIC]),
            partition=None if packed is None else int.from_bytes(packed, "big"),
            correlation_id=by_name.get(SPRING_CORRELATION_ID),
            spring=True,
        )
    return None


def request_headers(
    *,
    request_id: str,
    source: str,
    reply: ReplyAddress | None = None,
    deadline_ms: int | None = None,
    traceparent: bytes | None = None,
    now: datetime | None = None,
) -> Headers:
    """Headers of a request that a producer or the edge publishes."""
    headers = cloud_event(REQUEST_TYPE, event_id=request_id, source=source, now=now)
    if reply is not None:
        headers.append((REPLY_TO, reply.topic.encode()))
        if reply.partition is not None:
            headers.append((REPLY_PARTITION, str(reply.partition).encode()))
        if reply.correlation_id is not None:
            headers.append((CORRELATION_ID, reply.correlation_id))
    if deadline_ms is not None:
        headers.append((DEADLINE, str(deadline_ms).encode()))
    if traceparent is not None:
        headers.append((TRACEPARENT, traceparent))
    return headers


def result_headers(
    *,
    result_id: str,
    operation: Operation | None,
    source: str,
    traceparent: bytes | None = None,
    now: datetime | None = None,
) -> Headers:
    """Headers of a published result."""
    headers = cloud_event(RESULT_TYPES[operation], event_id=result_id, source=source, now=now)
    if traceparent is not None:
        headers.append((TRACEPARENT, traceparent))
    return headers


def reply_headers(result: Headers, reply: ReplyAddress) -> Headers:
    """Headers of the reply: the result's, and the correlation in the names it was asked in."""
    if reply.correlation_id is None:
        return list(result)
    name = SPRING_CORRELATION_ID if reply.spring else CORRELATION_ID
    return [*result, (name, reply.correlation_id)]


def rejected_headers(
    original: Iterable[tuple[str, bytes | None]],
    error: FacestreamError,
    *,
    topic: str,
    partition: int,
    offset: int,
    source: str,
    now: datetime | None = None,
) -> Headers:
    """A dead letter's headers: the original ones, and why and from where."""
    at = (now or datetime.now(UTC)).isoformat()
    ours = {
        f"{ERROR_PREFIX}code": error.code,
        f"{ERROR_PREFIX}message": str(error),
        f"{ERROR_PREFIX}topic": topic,
        f"{ERROR_PREFIX}partition": str(partition),
        f"{ERROR_PREFIX}offset": str(offset),
        f"{ERROR_PREFIX}source": source,
        f"{ERROR_PREFIX}time": at,
    }
    kept = [(name, value or b"") for name, value in original if name not in ours]
    return [*kept, *((name, value.encode()) for name, value in ours.items())]


def cloud_event(
    event_type: str, *, event_id: str, source: str, now: datetime | None = None
) -> Headers:
    """CloudEvents 1.0 attributes, binary content mode."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", (now or datetime.now(UTC)).isoformat().encode()),
        ("content-type", JSON),
    ]


def result_id(
    request_id: str,
    operation: Operation | None,
    model: ModelInfo | None,
    error_code: str | None = None,
) -> str:
    """The same for the same request, operation, models and error: duplicates can be dropped.

    Of the models' engine and precision only others than the defaults are part of it, as they were
    before results named them.
    """
    name = f"[{json.dumps(request_id)}, {_computed_as(operation, model)}, {json.dumps(error_code)}]"
    return str(uuid.uuid5(_RESULT_IDS, name))


@lru_cache(maxsize=32)
def _computed_as(operation: Operation | None, model: ModelInfo | None) -> str:
    versions = model.model_dump(exclude_defaults=True) if model else {}
    return f"{json.dumps(operation)}, {json.dumps(sorted(versions.items()))}"


def derived_request_id(topic: str, partition: int, offset: int) -> str:
    """The id of a request whose producer gave none."""
    return f"{topic}-{partition}-{offset}"


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"header {name} is not UTF-8") from None


def _request_id(value: bytes) -> str:
    request_id = _text(REQUEST_ID, value)
    if not 0 < len(request_id) <= MAX_ID_CHARS:
        raise InvalidRequest(f"header {REQUEST_ID} has not 1 to {MAX_ID_CHARS} characters")
    return request_id


def _partition(value: bytes) -> int:
    number = _decimal(REPLY_PARTITION, value)
    if number > _LAST_PARTITION:
        raise InvalidRequest(f"header {REPLY_PARTITION} is no partition")
    return number


def _decimal(name: str, value: bytes) -> int:
    text = _text(name, value)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidRequest(f"header {name} is no number")
    return int(text)
