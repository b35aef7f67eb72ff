"""The files in the tree are what the models say now, and hang together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from cli import event_reference
from cli.main import cli
from schemas import generate, wire
from schemas.errors import NotJson
from schemas.topics import Topics


@pytest.fixture(scope="module")
def asyncapi() -> Any:
    return yaml.safe_load((generate.FOLDER / "asyncapi.yaml").read_text())


def test_nothing_is_stale() -> None:
    written = generate.files()
    assert set(written) == set(generate.paths())
    assert generate.stale(written | event_reference.files()) == [], "`make schemas` writes them"


def test_a_stale_file_fails_the_check_and_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(event_reference, "FOLDER", tmp_path / "docs")
    runner = CliRunner()
    stale = runner.invoke(cli, ["schemas", "--check"])
    assert stale.exit_code == 1
    assert "request.schema.json" in stale.output
    assert "events.md" in stale.output
    assert runner.invoke(cli, ["schemas", "--write"]).exit_code == 0
    assert runner.invoke(cli, ["schemas", "--check"]).exit_code == 0
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0\n")
    (tmp_path / "docs" / "events.md").write_text("# Events\n")
    output = runner.invoke(cli, ["schemas", "--check"]).output
    assert "asyncapi.yaml" in output
    assert "events.md" in output


def test_the_command_says_where_they_are() -> None:
    shown = CliRunner().invoke(cli, ["schemas"]).output.split()
    assert all(Path(path).is_file() for path in shown)
    assert len(shown) == 7


@pytest.mark.parametrize("path", sorted((generate.FOLDER / "json").iterdir()), ids=str)
def test_the_json_schemas_are_draft_2020_12(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:facestream:{path.name.removesuffix('.schema.json')}:v1"
    assert schema["title"]
    assert schema["description"]


def test_every_topic_is_a_channel_with_its_settings(asyncapi: Any) -> None:
    by_address = {channel["address"]: channel for channel in asyncapi["channels"].values()}
    specs = Topics().specs()
    assert {address for address in by_address if address} == {spec.name for spec in specs}
    for spec in specs:
        binding = by_address[spec.name]["bindings"]["kafka"]
        assert binding["partitions"] == spec.partitions
        assert set(binding["topicConfiguration"]) == set(spec.config)


def test_every_topic_is_received_from_or_sent_to(asyncapi: Any) -> None:
    used = {name.rpartition("/")[2] for name in _references(asyncapi["operations"])}
    assert used == set(asyncapi["channels"])


def test_every_reference_resolves(asyncapi: Any) -> None:
    references = list(_references(asyncapi))
    assert len(references) > 20
    for reference in references:
        if reference.startswith("./"):
            assert (generate.FOLDER / reference).is_file()
        else:
            found = asyncapi
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]


def test_every_message_type_and_header_of_the_wire_is_documented(asyncapi: Any) -> None:
    messages = asyncapi["components"]["messages"]
    headers = {name: m["headers"].get("properties", {}) for name, m in messages.items()}
    types = {h["ce_type"]["const"] for h in headers.values() if h}
    assert types == {
        wire.REQUEST_TYPE,
        wire.WORKER_TYPE,
        wire.CRASH_TYPE,
        wire.REPLAY_TYPE,
        *wire.RESULT_TYPES.values(),
    }
    written = wire.request_headers(
        request_id="r",
        source="/s",
        reply=wire.ReplyAddress("t", 0, b"c"),
        deadline_ms=1,
        traceparent=b"t",
    )
    assert {name for name, _ in written} <= set(headers["request"])
    for spring in (False, True):
        result = wire.result_headers(
            result_id="r", operation="embed", source="/s", traceparent=b"t"
        )
        reply = wire.reply_headers(result, wire.ReplyAddress("t", 0, b"c", spring=spring))
        assert {name for name, _ in reply} <= set(headers["embedding"])


def test_a_dead_letters_headers_fit_their_schema() -> None:
    headers = wire.rejected_headers([], NotJson("x"), topic="t", partition=0, offset=1, source="/w")
    schema = json.loads((generate.FOLDER / "json" / "rejected-headers.schema.json").read_text())
    assert {name for name, _ in headers} == set(schema["properties"]) == set(schema["required"])
    Draft202012Validator(schema).validate({name: value.decode() for name, value in headers})


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
