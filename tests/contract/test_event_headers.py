"""Headers: what is written is understood, in our names and in Spring's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas import wire
from schemas.errors import ImageNotFound, InvalidRequest, NotJson
from schemas.wire import ReplyAddress, RequestHeaders

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "reply",
    [
        None,
        ReplyAddress("face.replies", 3, b"\x00\xff\x01"),
        ReplyAddress("face.replies", None, None),
    ],
)
def test_a_requests_headers_are_read_as_they_were_written(reply: ReplyAddress | None) -> None:
    headers = wire.request_headers(
        request_id="r-1", source="/test", reply=reply, deadline_ms=1764000000123, traceparent=TRACE
    )
    assert wire.parse_headers(headers) == RequestHeaders(reply, 1764000000123, TRACE)


def test_no_headers_ask_for_nothing() -> None:
    assert wire.parse_headers([]) == RequestHeaders()


def test_springs_names_are_understood() -> None:
    headers = [
        ("kafka_replyTopic", b"face.replies"),
        ("kafka_replyPartition", b"\x00\x00\x01\x02"),
        ("kafka_correlationId", b"\x9a\x00\x1f"),
    ]
    reply = ReplyAddress("face.replies", 0x102, b"\x9a\x00\x1f", spring=True)
    assert wire.parse_headers(headers).reply == reply


def test_springs_shared_reply_topic_names_no_partition() -> None:
    headers = [("kafka_replyTopic", b"face.replies"), ("kafka_correlationId", b"c")]
    reply = wire.parse_headers(headers).reply
    assert reply is not None
    assert reply.partition is None


@pytest.mark.parametrize(
    ("spring", "name"), [(False, "correlation_id"), (True, "kafka_correlationId")]
)
def test_a_reply_is_correlated_in_the_names_it_was_asked_in(spring: bool, name: str) -> None:
    result = wire.result_headers(result_id="x", operation="embed", source="/w", now=NOW)
    reply = ReplyAddress("face.replies", 0, b"\xffid", spring=spring)
    assert wire.reply_headers(result, reply) == [*result, (name, b"\xffid")]


def test_where_both_names_stand_ours_count() -> None:
    headers = [
        ("kafka_replyTopic", b"theirs"),
        ("reply_to", b"ours"),
        ("reply_partition", b"4"),
    ]
    assert wire.parse_headers(headers).reply == ReplyAddress("ours", 4, None)


@pytest.mark.parametrize(
    "header",
    [
        ("deadline", b"soon"),
        ("deadline", b"-1"),
        ("deadline", b""),
        ("deadline", b"1" * 19),
        ("deadline", "١".encode()),
        ("reply_partition", b"1.0"),
        ("reply_partition", b"2147483648"),
        ("reply_to", b"\xff"),
        ("kafka_replyPartition", b"3"),
        ("kafka_replyPartition", b"\xff\xff\xff\xff"),
    ],
)
def test_numbers_and_names_that_are_none_are_refused(header: tuple[str, bytes]) -> None:
    topic = "kafka_replyTopic" if header[0].startswith("kafka") else "reply_to"
    with pytest.raises(InvalidRequest, match=header[0]):
        wire.parse_headers([(topic, b"face.replies"), header])


@pytest.mark.parametrize("headers", [[], [("reply_to", b"\xff")], [("kafka_replyTopic", None)]])
def test_who_gives_no_usable_address_is_not_answered(headers: list[tuple[str, bytes]]) -> None:
    assert wire.usable_reply_address(headers) is None


def test_an_address_is_usable_whatever_else_is_wrong() -> None:
    headers = [("deadline", b"soon"), ("reply_to", b"face.replies"), ("correlation_id", b"c")]
    assert wire.usable_reply_address(headers) == ReplyAddress("face.replies", None, b"c")


def test_a_null_header_is_as_good_as_none() -> None:
    assert wire.parse_headers([("deadline", None), ("reply_to", None)]) == RequestHeaders()


@pytest.mark.parametrize("value", [b"", b"\xff", b"x" * 257])
def test_a_replayed_requests_id_is_one_that_a_request_may_have(value: bytes) -> None:
    assert wire.parse_headers([("facestream_request_id", b"r-1")]).request_id == "r-1"
    with pytest.raises(InvalidRequest, match="facestream_request_id"):
        wire.parse_headers([("facestream_request_id", value)])


def test_results_are_cloud_events() -> None:
    headers = dict(
        wire.result_headers(
            result_id="id", operation="analyze", source="/w", traceparent=TRACE, now=NOW
        )
    )
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"id",
        "ce_type": b"facestream.analysis.v1",
        "ce_source": b"/w",
        "ce_time": b"2026-05-04T03:02:01+00:00",
        "content-type": b"application/json",
        "traceparent": TRACE,
    }


def test_a_dead_letter_keeps_the_original_headers_and_adds_why_and_from_where() -> None:
    original = [("ce_id", b"1"), ("x", None), ("bytes", b"\xff")]
    headers = wire.rejected_headers(
        original, NotJson("not JSON"), topic="t", partition=2, offset=40, source="/w", now=NOW
    )
    assert headers[:3] == [("ce_id", b"1"), ("x", b""), ("bytes", b"\xff")]
    assert dict(headers[3:]) == {
        "facestream_error_code": b"not_json",
        "facestream_error_message": b"not JSON",
        "facestream_error_topic": b"t",
        "facestream_error_partition": b"2",
        "facestream_error_offset": b"40",
        "facestream_error_source": b"/w",
        "facestream_error_time": b"2026-05-04T03:02:01+00:00",
    }


def test_a_dead_letter_that_dies_again_says_so_once() -> None:
    where = {"topic": "t", "partition": 0, "offset": 1, "source": "/w"}
    first = wire.rejected_headers([], NotJson("a"), **where)  # type: ignore[arg-type]  # a dict of two types
    again = wire.rejected_headers(first, ImageNotFound("b"), **where)  # type: ignore[arg-type]  # as above
    assert len(again) == len(first)
    assert dict(again)["facestream_error_code"] == b"image_not_found"
