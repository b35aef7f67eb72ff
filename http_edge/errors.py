"""What a caller is told when something goes wrong, and the one table of codes and statuses.

EdgeError
├── NotHttp, Unauthorized, RateLimited, Overloaded, LiveOff
├── UploadTimedOut, BodyTooLarge, BrokenBody
├── UnfitBody                 a body that does not fit
│   ├── NotJsonBody, NoImageGiven, AmbiguousImageGiven
└── UnsupportedForm, EmptyImage, NotBase64

FailedResult stands apart: its code is the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from aiohttp import web
from pydantic import ValidationError

from http_edge.kafka import BrokerAway, NoAnswer, NoWorker
from schemas.errors import FacestreamError
from stream.io.blobs import BlobStoreError, BlobStoreFull
from stream.io.producer import MessageTooLarge

NO_FACE = "no_face"
INTERNAL = "internal"
NOT_READY = "no_worker"

#: Code → status. What a worker says of an image it was sent, and what the edge says itself.
#:
#: `inference_failed` and `crashed_worker` are not the caller's doing and say nothing of its image:
#: 503, worth another try, with another worker or a newer release.
_STATUS: Mapping[str, int] = {
    # the image
    NO_FACE: 400,
    "damaged_image": 400,
    "empty_image": 400,
    "not_base64": 400,
    "hash_mismatch": 400,
    "image_forbidden": 400,
    "image_not_found": 400,
    "image_unavailable": 400,
    "fetch_timeout": 400,
    "image_too_large": 413,
    "too_many_pixels": 413,
    "result_too_large": 413,  # more faces than fit into an answer
    "not_an_image": 415,
    # the request
    "not_http": 400,
    "broken_body": 400,
    "unauthorized": 401,
    "live_off": 404,
    "upload_timed_out": 408,
    "body_too_large": 413,
    "unsupported_form": 415,
    "unfit_request": 422,
    "not_json": 422,
    "no_image": 422,
    "ambiguous_image": 422,
    "rate_limited": 429,
    # the service
    INTERNAL: 500,
    "inference_failed": 503,
    "crashed_worker": 503,
    "overloaded": 503,
    NOT_READY: 503,
    "broker_away": 503,
    "no_room": 503,
    "store_away": 503,
    "deadline_passed": 504,
    "event_timed_out": 504,
    "no_answer": 504,
}
#: said of an address that the caller gave, they are its matter; of an upload, they are ours:
#: the worker could not get from the blob store what the edge put there
_OURS_WHEN_UPLOADED = frozenset(
    {"image_forbidden", "image_not_found", "image_unavailable", "fetch_timeout", "hash_mismatch"}
)
#: codes of a newer worker, and of requests that the edge should not have made
_UNKNOWN_FAILURE = 503

_RETRY_AFTER_S = 2


class EdgeError(Exception):
    """Ends a request. `str()` is shown to the caller."""

    code: ClassVar[str]
    retry_after_s: int | None = None


class NotHttp(EdgeError):
    """Its head is broken, or larger than it may be."""

    code = "not_http"


class Unauthorized(EdgeError):
    code = "unauthorized"


class RateLimited(EdgeError):
    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(EdgeError):
    code = "overloaded"


class LiveOff(EdgeError):
    code = "live_off"


class UploadTimedOut(EdgeError):
    code = "upload_timed_out"


class BodyTooLarge(EdgeError):
    code = "body_too_large"


class BrokenBody(EdgeError):
    """It ended early, or its encoding is damaged."""

    code = "broken_body"


class UnsupportedForm(EdgeError):
    """A content type in which no image comes."""

    code = "unsupported_form"


class UnfitBody(EdgeError):
    code = "unfit_request"


class NotJsonBody(UnfitBody):
    code = "not_json"


class NoImageGiven(UnfitBody):
    code = "no_image"


class AmbiguousImageGiven(UnfitBody):
    code = "ambiguous_image"


class EmptyImage(EdgeError):
    code = "empty_image"


class NotBase64(EdgeError):
    code = "not_base64"


class FailedResult(Exception):
    """A result that is not `ok`. `uploaded`: the image came in the request, not by address."""

    def __init__(self, code: str, message: str, *, uploaded: bool) -> None:
        super().__init__(message)
        self.code = code
        self.uploaded = uploaded


#: errors of the Gateway and the blob store: their own words may name servers and folders
_SAID: tuple[tuple[type[Exception], str, str], ...] = (
    (NoWorker, NOT_READY, "No worker is ready"),
    (BrokerAway, "broker_away", "The request could not be handed to Kafka"),
    (NoAnswer, "no_answer", "No answer in time"),
    (MessageTooLarge, "image_too_large", "The image does not fit into an event"),
    (BlobStoreFull, "no_room", "There is no room for the image"),
    (BlobStoreError, "store_away", "The image could not be stored"),
)


#: what ends a request, or one image of a batch, without being a fault of the edge
FORESEEN: tuple[type[Exception], ...] = (
    EdgeError,
    FailedResult,
    FacestreamError,
    *(kind for kind, _, _ in _SAID),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is answered in place of an answer."""

    status: int
    code: str
    message: str
    retry_after_s: int | None = None


def problem_of(error: Exception) -> Problem | None:
    """What a caller is told of an error; `None` for one that nobody foresaw."""
    match error:
        case EdgeError():
            return _problem(error.code, str(error), error.retry_after_s)
        case FailedResult():
            return _of_result(error)
        case FacestreamError():
            return _problem(error.code, str(error))
        case web.HTTPException() if error.status >= HTTPStatus.BAD_REQUEST:
            status = HTTPStatus(error.status)
            return Problem(status, status.name.lower(), status.phrase)
    said = (_problem(code, words) for kind, code, words in _SAID if isinstance(error, kind))
    return next(said, None)


def unexpected() -> Problem:
    """All that is said of an error that nobody foresaw; the log has the rest."""
    return _problem(INTERNAL, "Internal error")


def unfit(error: ValidationError) -> UnfitBody:
    """Which field of a body does not fit, and why; what it holds is not repeated."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    where = ".".join(str(part) for part in first["loc"])
    message = f"{where}: {first['msg']}" if where else first["msg"]
    if len(details) > 1:
        message += f" (and {len(details) - 1} more)"
    kinds: dict[str, type[UnfitBody]] = {
        kind.code: kind for kind in (NoImageGiven, AmbiguousImageGiven)
    }
    return kinds.get(first["type"], UnfitBody)(message)


def codes_of(status: int) -> list[str]:
    """The codes that come with a status."""
    codes = [code for code, known in _STATUS.items() if known == status]
    return codes + (sorted(_OURS_WHEN_UPLOADED) if status == _UNKNOWN_FAILURE else [])


def _of_result(error: FailedResult) -> Problem:
    if error.uploaded and error.code in _OURS_WHEN_UPLOADED:
        return Problem(
            _UNKNOWN_FAILURE, error.code, "The stored image could not be read", _RETRY_AFTER_S
        )
    return _problem(error.code, str(error))


def _problem(code: str, message: str, retry_after_s: int | None = None) -> Problem:
    status = _STATUS.get(code, _UNKNOWN_FAILURE)
    if retry_after_s is None and status in (429, 503):
        retry_after_s = _RETRY_AFTER_S
    return Problem(status, code, message, retry_after_s)
