"""Object stores (S3, Google Cloud Storage, Azure) by obstore.

obstore rather than fsspec: one wheel for the three stores instead of s3fs, gcsfs and adlfs with
botocore and their SDKs; requests, TLS and signatures run in Rust threads without the GIL, which a
worker's event loop would otherwise spend between heartbeats; errors have types; size is known
before the body is read. Credentials and endpoints are its own environment variables (`AWS_*`,
`GOOGLE_*`, `AZURE_*`; for a store without TLS `AWS_ENDPOINT_URL` and `AWS_ALLOW_HTTP=true`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from schemas.errors import (
    ImageError,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnavailable,
)
from stream.io.sources import Bucket

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_STATUS = re.compile(r"status code: (\d{3}[A-Za-z -]*)")


def open_bucket(scheme: Bucket, bucket: str, *, timeout_s: float, prefix: str = "") -> ObjectStore:
    """A bucket, or what lies below a prefix of it. Connects to nothing yet.

    `timeout_s` ends its own retries; the time in all is the caller's to bound. No client options
    are passed: they would replace those of the environment, `AWS_ALLOW_HTTP` among them.
    Raises obstore's `BaseError` where its environment does not say enough.
    """
    retry: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=timeout_s)}
    below = prefix or None
    if scheme == "s3":
        return S3Store(bucket, prefix=below, retry_config=retry)
    if scheme == "gs":
        return GCSStore(bucket, prefix=below, retry_config=retry)
    return AzureStore(bucket, prefix=below, retry_config=retry)


async def read_object(store: ObjectStore, key: str, *, shown: str, max_bytes: int) -> bytes:
    """An object's bytes, never more than `max_bytes` of them in memory.

    `shown` names it in errors. Raises `ImageNotFound`, `ImageForbidden`, `ImageTooLarge`,
    `ImageUnavailable`.
    """
    try:
        found = await obstore.get_async(store, key)
        size = found.meta["size"]
        if size > max_bytes:
            raise ImageTooLarge(f"{shown} has {size} bytes; the limit is {max_bytes}")
        # Never more than the announced size; in pieces, a local file takes ten times as long.
        return (await found.bytes_async()).to_bytes()
    except (BaseError, OSError, ValueError) as error:
        raise explained(error, shown) from None


def explained(error: Exception, shown: str) -> ImageError:
    """obstore's error as one of ours. Its own text may hold signatures and is not repeated."""
    if isinstance(error, FileNotFoundError):
        return ImageNotFound(f"{shown} does not exist")
    status = _STATUS.search(str(error))
    answer = f": it answered {status[1].strip()}" if status else ""
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return ImageForbidden(f"the store refuses the worker {shown}{answer}")
    if isinstance(error, ValueError):
        return ImageForbidden(f"{shown} names no object")
    return ImageUnavailable(f"the store did not give {shown}{answer}")
