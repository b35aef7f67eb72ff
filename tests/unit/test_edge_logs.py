"""The edge's log: a line of JSON a request, and none of what callers sent."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.log import server_logger

from http_edge.logs import access_log, log_request, write_access_log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is written; the loggers are as before afterwards."""
    stream = io.StringIO()
    kept = (access_log.handlers, access_log.level, access_log.propagate)
    filters = list(server_logger.filters)
    write_access_log(stream)
    yield stream
    access_log.handlers, access_log.level, access_log.propagate = kept
    server_logger.filters = filters


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


def test_bytes_that_are_no_http_are_not_quoted(
    lines: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = BadHttpMessage("Invalid header: Authorization: Bearer a-key\0")
    server_logger.error("Error handling request from %s", "10.0.0.1", exc_info=error)
    assert "a-key" not in caplog.text
    assert "a request was no HTTP: BadHttpMessage" in caplog.text


def test_other_errors_keep_their_traceback(
    lines: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    server_logger.error("Error handling request", exc_info=ZeroDivisionError())
    assert "ZeroDivisionError" in caplog.text
