"""`docs/events.md` says of every topic, header, field and error what it is."""

from __future__ import annotations

import re

import pytest

from cli import event_reference
from cli.field_tables import FieldRow, field_rows
from schemas import asyncapi
from schemas.errors import FacestreamError, FetchTimeout, ImageError, NotJson
from schemas.generate import json_schema
from schemas.topics import Topics

NAMES = ["request", "result", "worker-status", "crash-report", "replay-mark"]


@pytest.fixture(scope="module")
def page() -> str:
    return event_reference.text()


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_description_and_a_row(name: str, page: str) -> None:
    rows = field_rows(json_schema(name))
    assert [row.path for row in rows if not row.description] == []
    assert [row.path for row in rows if f"\n| `{row.path}` | {row.kind} |" not in page] == []


def test_nested_fields_have_their_path_type_and_range() -> None:
    rows = {row.path: row for row in field_rows(json_schema("result"))}
    score = rows["faces[].analysis.gender_score"]
    assert (score.kind, score.bounds) == ("number or null", "[0.5, 1]")
    assert rows["faces[].landmarks_5"].kind == "5 × 2 numbers or null"
    assert rows["faces[].embedding"].kind == "512 numbers or null"
    assert rows["status"].bounds == "`ok`, `no_face`, `failed`"
    angle = rows["faces[].analysis.skin_tone.individual_typology_angle"]
    assert angle.bounds == "(-90, 90)"


def test_a_field_without_bounds_shows_none() -> None:
    rows = field_rows({"properties": {"any": {"type": "string", "default": "x"}}})
    assert rows == [FieldRow("any", "string, default x", "", "")]


def test_every_topic_is_told_with_its_retention(page: str) -> None:
    for spec in Topics().specs():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{spec.name}` "))
        days, left_ms = divmod(int(spec.config["retention.ms"]), 24 * 60 * 60 * 1000)
        assert f" {spec.partitions} " in row
        assert (f" {days} day" if not left_ms else " 1 hour ") in row


def test_every_header_of_a_message_is_told(page: str) -> None:
    for message in asyncapi.document()["components"]["messages"].values():
        for name, header in message["headers"].get("properties", {}).items():
            assert f"\n| `{name}` | " in page
            assert header["description"]
    for name, header in asyncapi.REJECTED_HEADERS["properties"].items():
        assert f"\n| `{name}` | " in page
        assert header["description"]


def test_every_code_is_told_once_with_its_meaning() -> None:
    listed = list(event_reference.listed_errors())
    assert {NotJson, FetchTimeout} < set(listed)
    assert ImageError not in listed  # a branch: no event ends with it
    assert len({kind.code for kind in listed}) == len(listed)
    assert [kind for kind in listed if not vars(kind).get("__doc__")] == []
    assert all(issubclass(kind, FacestreamError) for kind in listed)


def test_an_error_is_told_with_its_retries_and_statuses(page: str) -> None:
    assert re.search(r"\| `fetch_timeout` \| .* \| yes \| 400 \| 503 \|", page)
    assert re.search(r"\| `not_an_image` \| .* \| no \| 415 \| 415 \|", page)


def test_long_lists_are_shown_by_their_beginning() -> None:
    assert event_reference.shown([0.5] * 512) == "[0.5, 0.5, 0.5, …]"
    assert event_reference.shown({"bbox": [1, 2, 3, 4]}) == '{"bbox": [1, 2, 3, 4]}'
    assert event_reference.shown([]) == "[]"
