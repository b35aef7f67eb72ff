"""The edge's log: a line of JSON a request, and none of what callers sent."""

from __future__ import annotations

import io
from collections.abc import Iterator

import orjson
import pytest

from http_edge.logs import access_log, log_request, write_access_log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is written; the loggers are as before afterwards."""
    stream = io.StringIO()
    kept = (access_log.handlers, access_log.level, access_log.propagate)
    write_access_log(stream)
    yield stream
    access_log.handlers, access_log.level, access_log.propagate = kept


def test_a_line_is_json_and_nothing_else(lines: io.StringIO) -> None:
    log_request(
        request_id="r-1",
        method="POST",
        route="/api/v1/verify-face",
        status=400,
        code="no_face",
        milliseconds=12.345,
        received_bytes=678,
    )
    line = orjson.loads(lines.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "id": "r-1",
        "method": "POST",
        "route": "/api/v1/verify-face",
        "status": 400,
        "code": "no_face",
        "ms": 12.3,
        "bytes": 678,
    }
