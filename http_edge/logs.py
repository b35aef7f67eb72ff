"""A request's id and trace, and its one line in the log: never its image, key or embedding."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from datetime import UTC, datetime
from typing import TextIO

import orjson

REQUEST_ID = "X-Request-ID"

#: each line is JSON by itself
access_log = logging.getLogger("http_edge.access")

#: what cannot break a line, a header or a query of who reads logs
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def request_id_of(given: str | None) -> str:
    """The caller's id where it is fit to be logged and returned, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


def traceparent_of(given: str | None) -> bytes | None:
    """W3C Trace Context as it came; `None` where it is none."""
    return given.encode() if given is not None and _TRACEPARENT.fullmatch(given) else None


def log_request(
    *,
    request_id: str,
    method: str | None,
    route: str,
    status: int,
    code: str | None,
    milliseconds: float,
    received_bytes: int,
) -> None:
    """One line. `method`: `None` of what is no HTTP. `route`: its pattern. `received_bytes`: of
    the body.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "code": code,
        "ms": round(milliseconds, 1),
        "bytes": received_bytes,
    }
    access_log.info(orjson.dumps(line).decode())


def write_access_log(stream: TextIO = sys.stdout) -> None:
    """Send the requests' lines to a stream, bare: what reads them wants JSON and nothing else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access_log.handlers = [handler]
    access_log.setLevel(logging.INFO)
    access_log.propagate = False
