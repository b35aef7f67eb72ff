"""Dead letters: what they tell, which are meant, what is shown of them, and what is sent again."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from cli.dead_letter_table import JsonLines, NewestInTable
from cli.dead_letter_views import whole
from cli.dead_letters import DeadLetter, Replays, Selection, moment
from cli.following import Record
from cli.replaying import Plan, Rules
from schemas import wire
from schemas.errors import CrashedWorker, FacestreamError, ImageNotFound, NotJson
from schemas.replays import ReplayMark, rejection_of, replay_headers, request_id_of
from schemas.requests import claimed_id

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
GONE = ImageNotFound("file:///photos/a.jpg does not exist")
REQUEST = orjson.dumps({"id": "photo-1", "operation": "embed", "image": {"uri": "file:///a.jpg"}})
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def letter(
    value: bytes | None = REQUEST,
    *,
    error: FacestreamError = GONE,
    headers: list[tuple[str, bytes | None]] | None = None,
    key: bytes | None = b"key",
    place: tuple[int, int] = (0, 12),
    topic: str = "face.images",
    ago: timedelta = timedelta(0),
) -> DeadLetter:
    named = wire.rejected_headers(
        headers or [], error, topic=topic, partition=3, offset=41, source="/w"
    )
    at_ms = round((NOW - ago).timestamp() * 1000)
    found = DeadLetter.of(Record("face.rejected", *place, at_ms, key, value, tuple(named)))
    assert found is not None
    return found


@pytest.mark.parametrize("missing", ["code", "topic", "partition", "offset"])
def test_a_record_without_the_headers_of_one_is_no_dead_letter(missing: str) -> None:
    headers = wire.rejected_headers([], GONE, topic="t", partition=0, offset=1, source="/w")
    assert rejection_of(headers) is not None
    assert rejection_of([h for h in headers if h[0] != f"facestream_error_{missing}"]) is None
    assert rejection_of([("facestream_error_partition", b"-1")]) is None


def test_a_replay_keeps_every_header_in_its_place_but_deadline_reply_address_and_reason() -> None:
    kept = [("ce_id", b"1"), ("odd", b"\xff\x00"), ("odd", b"twice"), ("traceparent", b"00-1-2-01")]
    callers = [
        (name, b"x")
        for name in (
            "deadline",
            "reply_to",
            "reply_partition",
            "correlation_id",
            "kafka_replyTopic",
            "kafka_replyPartition",
            "kafka_correlationId",
        )
    ]
    sent = letter(headers=[*kept[:2], *callers, *kept[2:]])
    assert replay_headers(sent.rejection, sent.record.headers, REQUEST) == [
        *kept,
        ("facestream_replays", b"1"),
    ]


def test_replays_are_counted_over_rejections() -> None:
    headers: list[tuple[str, bytes | None]] = []
    for count in (b"1", b"2", b"3"):
        rejected = letter(headers=headers)
        headers = [*replay_headers(rejected.rejection, rejected.record.headers, REQUEST)]
        assert headers == [("facestream_replays", count)]
    assert letter(headers=headers).rejection.replays == 3


def test_a_request_without_an_id_keeps_the_one_that_it_had_at_first() -> None:
    nameless = b'{"operation": "embed"}'
    first = letter(nameless)
    assert first.request_id == "face.images-3-41"
    headers = replay_headers(first.rejection, first.record.headers, nameless)
    assert wire.parse_headers(headers).request_id == "face.images-3-41"
    again = wire.rejected_headers(
        headers, GONE, topic="face.images", partition=5, offset=99, source="/w"
    )
    rejection = rejection_of(again)
    assert rejection is not None
    assert request_id_of(rejection, again, nameless) == "face.images-3-41"
    assert dict(replay_headers(rejection, again, nameless))["facestream_request_id"] == (
        b"face.images-3-41"
    )


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b'{"id": 7}', b'{"id": ""}'])
def test_bytes_that_name_no_id_have_none(value: bytes | None) -> None:
    assert claimed_id(value) is None


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (Selection(), True),
        (Selection(reasons=("not_json", "image_not_found")), True),
        (Selection(reasons=("not_json",)), False),
        (Selection(since=NOW - timedelta(hours=1)), True),
        (Selection(since=NOW), False),
        (Selection(until=NOW), True),
        (Selection(until=NOW - timedelta(hours=1)), False),
        (Selection(topic="images"), True),
        (Selection(topic="face.images"), True),
        (Selection(topic="requests"), False),
        (Selection(named=("0:12",)), True),
        (Selection(named=("0:1", "photo-1")), True),
        (Selection(named=("0:1",)), False),
        (Selection(named=("photo-1",), reasons=("not_json",)), False),
    ],
)
def test_what_is_selected_fits_every_filter(selection: Selection, takes: bool) -> None:
    assert selection.takes(letter(ago=timedelta(minutes=30)), "face.") is takes


def test_only_places_need_no_look_at_all_of_the_topic() -> None:
    assert Selection(named=("0:12", "3:4")).places == {(0, 12), (3, 4)}
    assert Selection(named=("0:12", "photo-1")).places is None
    assert Selection().places is None


def test_a_moment_is_a_duration_ago_or_an_iso_time() -> None:
    assert moment("90s", NOW) == NOW - timedelta(seconds=90)
    assert moment("2h", NOW) == NOW - timedelta(hours=2)
    assert moment("7d", NOW) == NOW - timedelta(days=7)
    assert moment("2026-05-04T03:02:01Z", NOW) == NOW
    assert moment("2026-05-04", NOW).tzinfo is not None
    for text in ("", "2", "h", "2 h", "yesterday"):
        with pytest.raises(ValueError, match=r"[Ii]nvalid"):
            moment(text, NOW)


def test_what_was_replayed_killed_workers_or_has_no_bytes_is_left_out_unless_it_is_wanted() -> None:
    replayed = letter(place=(0, 1))
    crashed = letter(place=(0, 2), error=CrashedWorker("3 workers died"))
    empty, plain = letter(None, place=(0, 3)), letter(place=(0, 4))
    mark = ReplayMark(
        partition=0, offset=1, rejected_at_ms=replayed.record.timestamp_ms, replayed_at_ms=7_000
    )
    replays = Replays([mark])
    assert replays.last_of(replayed) == datetime.fromtimestamp(7, UTC)
    letters = [replayed, crashed, empty, plain]

    careful = Rules(replays.last_of)
    plan = Plan.of(letters, careful)
    assert list(plan.again(letters, careful)) == [plain]
    assert plan.left_out.total() == 3

    bold = Rules(replays.last_of, again=True, crashing=True)
    plan = Plan.of(letters, bold, limit=2)
    assert list(plan.again(letters, bold)) == [replayed, crashed]
    assert list(plan.left_out) == ["without bytes"]


def test_a_mark_of_a_topic_that_was_made_anew_says_nothing() -> None:
    now = letter()
    old = ReplayMark(partition=0, offset=12, rejected_at_ms=1, replayed_at_ms=2)
    assert Replays([old]).last_of(now) is None


def test_the_whole_of_one_shows_no_credentials_no_image_and_nothing_that_a_terminal_obeys() -> None:
    request = {
        "id": "photo-1\x1b[2J",
        "operation": "embed",
        "image": {"uri": "https://user:secret@example.com/a.jpg?token=secret"},
        "metadata": {
            "from": ["see s3://key:secret@bucket/x?sig=secret there"],
            "https://u:secret@h/": base64.b64encode(bytes(3000)).decode(),
        },
    }
    headers: list[tuple[str, bytes | None]] = [
        ("link", b"http://u:secret@example.com/?q=secret"),
        ("evil", b"\x1b]0;title\x07"),
    ]
    shown = whole(letter(orjson.dumps(request), headers=headers, key=b"k\x1b"), None)
    assert "secret" not in shown
    assert "\x1b" not in shown
    assert "https://example.com/a.jpg" in shown
    assert "(4000 characters)" in shown
    assert "image_not_found: file:///photos/a.jpg does not exist" in shown
    assert "face.images[3]@41" in shown
    assert len(shown) < 1500


@pytest.mark.parametrize("value", [b'{"uri": "http://u:secret@h/', b"\xff\x00", b""])
def test_bytes_that_are_no_json_are_not_shown(value: bytes) -> None:
    shown = whole(letter(value, error=NotJson("not JSON: no")), None)
    assert "secret" not in shown
    assert f"{len(value)} bytes, no JSON: --raw" in shown


def test_deep_json_is_shown_to_a_depth() -> None:
    assert "…" in whole(letter(b'{"a":' * 500 + b"1" + b"}" * 500), None)


def test_the_table_fits_80_columns_and_has_the_newest_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    listing = NewestInTable(2, "face.")
    for number, ago_h in enumerate((1, 3, 2)):
        value = orjson.dumps({"id": f"a-rather-long-request-id-{number}"})
        found = letter(value, place=(number, 123_456), ago=timedelta(hours=ago_h), key=b"k" * 50)
        listing.take(found, NOW if number == 0 else None)
    listing.end()
    lines = ANSI.sub("", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["place", "rejected", "reason", "from", "key", "request"]
    assert [line.split()[0] for line in lines[1:3]] == ["2:123456", "0:123456"]
    assert "image_not_found" in lines[1]
    assert lines[2].endswith("replayed")
    assert lines[3] == "… and 1 older: --limit"
    assert lines[4] == "3 dead letters: 3 image_not_found; 1 of them replayed"


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    listing = NewestInTable(50, "face.")
    listing.take(letter(key=b"k" * 200), None)
    listing.end()
    assert "k" * 200 in capsys.readouterr().out


def test_json_lines_tell_all_but_the_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    listing = JsonLines()
    listing.take(letter(headers=[("facestream_replays", b"2")]), NOW)
    listing.end()
    line: dict[str, Any] = orjson.loads(capsys.readouterr().out)
    assert line == {
        "partition": 0,
        "offset": 12,
        "rejected_at": "2026-05-04T03:02:01+00:00",
        "reason": "image_not_found",
        "message": "file:///photos/a.jpg does not exist",
        "topic": "face.images",
        "topic_partition": 3,
        "topic_offset": 41,
        "key": "key",
        "request_id": "photo-1",
        "bytes": len(REQUEST),
        "replays": 2,
        "replayed_at": "2026-05-04T03:02:01+00:00",
    }
