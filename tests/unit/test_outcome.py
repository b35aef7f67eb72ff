"""How an event ends: one result under an id that follows from what was asked, and no more."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.errors import ImageNotFound, InvalidRequest, NotJson
from schemas.requests import Request, parse_request
from schemas.results import Box, Face, ImageInfo, ModelInfo
from schemas.wire import ReplyAddress, RequestHeaders
from stream.event import Event, LaneName
from stream.outcome import Outcome, failed, invalid, succeeded

MODEL = ModelInfo(pack="buffalo_s", detector="det_500m@5e4447f5", recognizer="w600k_mbf@9cc6e4a7")
IMAGE = ImageInfo(uri="file:///photos/a.jpg", sha256="0" * 64, width=250, height=250)
FACE = Face(bbox=Box(1, 2, 3, 4), confidence=0.9, landmarks_5=None)
REPLY = RequestHeaders(reply=ReplyAddress("face.replies", 3, b"c"))
REQUEST: dict[str, Any] = {
    "id": "r-1",
    "operation": "embed",
    "image": {"uri": "file:///photos/a.jpg"},
    "metadata": {"album": 7, "tags": ["a", None, {"deep": 1.5}]},
}


def _event(lane: LaneName = "bulk", value: bytes | None = b"{}") -> Event:
    return Event("face.images", 3, 41, b"key", value, (), None, lane, ack=lambda: None)


def _request(**changes: Any) -> Request:
    return parse_request(orjson.dumps(REQUEST | changes))


def _succeeded(event: Event, request: Request, faces: list[Face]) -> Outcome:
    return succeeded(
        event,
        request,
        RequestHeaders(),
        image=IMAGE,
        faces=faces,
        model=MODEL,
        timings_ms={"detect": 8.5},
    )


def _failed(event: Event, request: Request) -> Outcome:
    return failed(
        event,
        request,
        RequestHeaders(),
        ImageNotFound("a.jpg is not there"),
        image=IMAGE,
        model=MODEL,
        timings_ms={},
    )


def test_an_image_without_faces_is_no_failure() -> None:
    outcome = _succeeded(_event(), _request(), [])
    assert outcome.result is not None
    assert (outcome.result.status, outcome.result.error) == ("no_face", None)
    assert outcome.rejected is None


def test_a_replayed_request_without_an_id_keeps_the_one_that_its_headers_say() -> None:
    headers = RequestHeaders(request_id="face.images-1-7")
    for request, expected in (
        (parse_request(orjson.dumps(REQUEST | {"id": None})), "face.images-1-7"),
        (_request(), "r-1"),
    ):
        outcome = succeeded(
            _event(), request, headers, image=IMAGE, faces=[], model=MODEL, timings_ms={}
        )
        assert outcome.result is not None
        assert outcome.result.request_id == expected


def test_a_result_tells_what_was_computed_and_echoes_the_metadata() -> None:
    outcome = _succeeded(_event(), _request(), [FACE])
    assert outcome.published
    assert outcome.rejected is None
    result = outcome.result
    assert result is not None
    assert result.status == "ok"
    assert result.request_id == "r-1"
    assert result.faces == [FACE]
    assert result.image == IMAGE
    assert result.model == MODEL
    assert result.timings_ms == {"detect": 8.5}
    assert result.metadata == REQUEST["metadata"]


def test_the_same_request_processed_twice_gives_the_same_id_wherever_it_stands() -> None:
    elsewhere = Event("face.requests", 0, 7, None, b"{}", (), 5, "interactive", ack=lambda: None)
    first = _succeeded(_event(), _request(), [FACE]).result
    second = _succeeded(elsewhere, _request(metadata={}), []).result
    assert first is not None
    assert second is not None
    assert first.id == second.id


@pytest.mark.parametrize("change", [{"id": "r-2"}, {"operation": "analyze"}])
def test_another_request_or_operation_gives_another_id(change: dict[str, str]) -> None:
    first = _succeeded(_event(), _request(), [FACE]).result
    other = _succeeded(_event(), _request(**change), [FACE]).result
    assert first is not None
    assert other is not None
    assert first.id != other.id


def test_a_failure_has_another_id_than_a_success_and_cannot_replace_it() -> None:
    success = _succeeded(_event(), _request(), [FACE]).result
    failure = _failed(_event(), _request()).result
    assert success is not None
    assert failure is not None
    assert failure.id != success.id
    assert failure.request_id == success.request_id


def test_a_request_without_an_id_is_known_by_topic_partition_and_offset() -> None:
    result = _succeeded(_event(), _request(id=None), [FACE]).result
    assert result is not None
    assert result.request_id == "face.images-3-41"


@pytest.mark.parametrize("lane", ["bulk", "interactive"])
def test_a_failed_request_is_dead_lettered_in_the_bulk_lane_alone(lane: LaneName) -> None:
    outcome = _failed(_event(lane), _request())
    result = outcome.result
    assert outcome.published
    assert result is not None
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "image_not_found"
    assert result.error.message == "a.jpg is not there"
    assert result.faces == []
    assert result.metadata == REQUEST["metadata"]
    assert (outcome.rejected is not None) == (lane == "bulk")


@pytest.mark.parametrize("lane", ["bulk", "interactive"])
@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", b'{"id": "r-1"}'])
def test_bytes_that_are_no_request_are_dead_lettered_and_make_no_result(
    lane: LaneName, value: bytes | None
) -> None:
    error = NotJson("not JSON")
    outcome = invalid(_event(lane, value), RequestHeaders(), error)
    assert outcome.result is None
    assert not outcome.published
    assert outcome.rejected is error


def test_who_waits_for_a_reply_is_told_that_his_bytes_are_no_request() -> None:
    outcome = invalid(_event(value=b"\xff"), REPLY, NotJson("not JSON"))
    result = outcome.result
    assert result is not None
    assert not outcome.published
    assert outcome.rejected is not None
    assert result.status == "failed"
    assert result.operation is None
    assert result.model is None
    assert result.error is not None
    assert result.error.code == "not_json"
    assert result.request_id == "face.images-3-41"


@pytest.mark.parametrize(
    ("value", "request_id"),
    [
        (b'{"id": "mine", "operation": "guess"}', "mine"),
        (b'{"id": 7}', "face.images-3-41"),
        (b'{"id": ""}', "face.images-3-41"),
        (b'{"id": null}', "face.images-3-41"),
        (b'{"id": "%s"}' % (b"x" * 257), "face.images-3-41"),
        (b'["mine"]', "face.images-3-41"),
        (b'{"id": "mine"', "face.images-3-41"),
        (None, "face.images-3-41"),
    ],
)
def test_the_id_that_broken_bytes_claim_is_used_where_it_is_one(
    value: bytes | None, request_id: str
) -> None:
    result = invalid(_event(value=value), REPLY, InvalidRequest("x")).result
    assert result is not None
    assert result.request_id == request_id
