"""What can go wrong with an event, as a tree. The leaf's `code` is part of the contract.

FacestreamError
├── InvalidRequest            bytes that are no request: dead-lettered as they came
│   ├── NotJson, UnknownOperation, NoImage, AmbiguousImage, DataTooLarge
├── ImageError                a request whose image cannot be used: settles as `failed`
│   ├── ImageForbidden, ImageNotFound, ImageTooLarge, TooManyPixels, NotAnImage,
│   │   DamagedImage, HashMismatch
│   └── ImageUnavailable      may pass: retried with backoff
│       └── FetchTimeout
└── ProcessingError           a request that was stopped on its way: settles as `failed`
    ├── DeadlinePassed, EventTimedOut, ResultTooLarge, InferenceFailed, CrashedWorker
"""

from __future__ import annotations

from typing import ClassVar


class FacestreamError(Exception):
    """An event's failure. `str()` is safe to show: no credentials, no query strings."""

    code: ClassVar[str] = "error"
    #: whether the same event may succeed when it is tried again later
    retryable: ClassVar[bool] = False


class InvalidRequest(FacestreamError):
    """The bytes are no request of this contract."""

    code = "invalid_request"


class NotJson(InvalidRequest):
    """The bytes are no JSON, or there are none."""

    code = "not_json"


class UnknownOperation(InvalidRequest):
    """`operation` is missing, or none of `detect`, `embed` and `analyze`."""

    code = "unknown_operation"


class NoImage(InvalidRequest):
    """Neither `uri` nor `data`."""

    code = "no_image"


class AmbiguousImage(InvalidRequest):
    """Both `uri` and `data`."""

    code = "ambiguous_image"


class DataTooLarge(InvalidRequest):
    """Inline data above the contract's limit: it belongs into a store, and its address here."""

    code = "data_too_large"


class ImageError(FacestreamError):
    """The request is sound; its image is not."""


class ImageForbidden(ImageError):
    """The address is not allowed by `IMAGE_SOURCES`."""

    code = "image_forbidden"


class ImageNotFound(ImageError):
    """Nothing lies at the address."""

    code = "image_not_found"


class ImageTooLarge(ImageError):
    """More bytes than `MAX_IMAGE_BYTES`."""

    code = "image_too_large"


class TooManyPixels(ImageError):
    """More pixels than `MAX_IMAGE_PIXELS`."""

    code = "too_many_pixels"


class NotAnImage(ImageError):
    """The bytes are of no format that is decoded here."""

    code = "not_an_image"


class DamagedImage(ImageError):
    """The bytes begin as an image and do not decode as one (cut off, corrupt)."""

    code = "damaged_image"


class HashMismatch(ImageError):
    """The bytes have another SHA-256 than the request says."""

    code = "hash_mismatch"


class ImageUnavailable(ImageError):
    """The store or the server did not serve it now."""

    code = "image_unavailable"
    retryable = True


class FetchTimeout(ImageUnavailable):
    """A download took longer than `FETCH_TIMEOUT_S`."""

    code = "fetch_timeout"


class ProcessingError(FacestreamError):
    """The event was stopped on its way through the stream."""


class DeadlinePassed(ProcessingError):
    """Nobody waits for the answer any more."""

    code = "deadline_passed"


class EventTimedOut(ProcessingError):
    """Its image's host has served nothing for `EVENT_TIMEOUT_S`."""

    code = "event_timed_out"


class ResultTooLarge(ProcessingError):
    """The result is larger than its topic allows."""

    code = "result_too_large"


class InferenceFailed(ProcessingError):
    """A model raised on this image."""

    code = "inference_failed"


class CrashedWorker(ProcessingError):
    """The event was being computed at each of `MAX_ATTEMPTS` deaths of a worker."""

    code = "crashed_worker"
