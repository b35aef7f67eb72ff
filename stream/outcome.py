"""How an event ended: the result to publish, the dead letter, the reply. Pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from schemas.errors import FacestreamError, InvalidRequest
from schemas.requests import Request, claimed_id
from schemas.results import ErrorInfo, Face, ImageInfo, ModelInfo, Result
from schemas.topics import Operation
from schemas.wire import RequestHeaders, derived_request_id, result_id
from stream.event import Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What leaves the worker for one event."""

    #: `None` where the bytes were no request and nobody waits for a reply
    result: Result | None
    #: published as a result, or only sent as a reply
    published: bool
    #: why it is dead-lettered; `None` where it is not
    rejected: FacestreamError | None
    headers: RequestHeaders


def request_id_of(request: Request, headers: RequestHeaders, event: Event) -> str:
    """The producer's id, or the one that follows from where the event stands, or stood at first."""
    return request.id or headers.request_id or derived_request_id(*event.position)


def succeeded(
    event: Event,
    request: Request,
    headers: RequestHeaders,
    *,
    image: ImageInfo,
    faces: list[Face],
    model: ModelInfo,
    timings_ms: dict[str, float],
) -> Outcome:
    """`ok`, or `no_face` where there is none."""
    request_id = request_id_of(request, headers, event)
    result = Result(
        id=result_id(request_id, request.operation, model),
        request_id=request_id,
        operation=request.operation,
        status="ok" if faces else "no_face",
        error=None,
        image=image,
        faces=faces,
        model=model,
        timings_ms=timings_ms,
        metadata=request.metadata,
    )
    return Outcome(result, published=True, rejected=None, headers=headers)


def failed(
    event: Event,
    request: Request,
    headers: RequestHeaders,
    error: FacestreamError,
    *,
    image: ImageInfo,
    model: ModelInfo,
    timings_ms: dict[str, float],
) -> Outcome:
    """A request that could not be done; in the bulk lane it is dead-lettered as well."""
    request_id = request_id_of(request, headers, event)
    result = _failure(
        request_id,
        request.operation,
        error,
        image=image,
        model=model,
        timings_ms=timings_ms,
        metadata=request.metadata,
    )
    rejected = error if event.lane == "bulk" else None
    return Outcome(result, published=True, rejected=rejected, headers=headers)


def invalid(event: Event, headers: RequestHeaders, error: InvalidRequest) -> Outcome:
    """Bytes that are no request: dead-lettered as they came, and said to who waits."""
    result = None
    if headers.reply is not None:
        request_id = claimed_id(event.value) or derived_request_id(*event.position)
        image = ImageInfo(uri=None, sha256=None, width=None, height=None)
        result = _failure(
            request_id, None, error, image=image, model=None, timings_ms={}, metadata={}
        )
    return Outcome(result, published=False, rejected=error, headers=headers)


def unpublishable(outcome: Outcome, error: FacestreamError) -> Outcome:
    """Where the result itself cannot be written: a dead letter, in either lane."""
    return Outcome(None, published=False, rejected=error, headers=outcome.headers)


def _failure(
    request_id: str,
    operation: Operation | None,
    error: FacestreamError,
    *,
    image: ImageInfo,
    model: ModelInfo | None,
    timings_ms: dict[str, float],
    metadata: dict[str, JsonValue],
) -> Result:
    return Result(
        id=result_id(request_id, operation, model, error.code),
        request_id=request_id,
        operation=operation,
        status="failed",
        error=ErrorInfo(code=error.code, message=str(error)),
        image=image,
        faces=[],
        model=model,
        timings_ms=timings_ms,
        metadata=metadata,
    )
