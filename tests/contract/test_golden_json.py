"""Every public shape, as JSON that others already have: what is read is what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas import wire
from schemas.crashes import CrashReport
from schemas.generate import json_schema
from schemas.replays import ReplayMark
from schemas.requests import parse_request
from schemas.results import Result, WorkerStatus

GOLDEN = Path(__file__).parent / "golden"
REQUESTS = ["request_minimal", "request_full"]
OUTPUTS: dict[str, type[BaseModel]] = {
    "result_ok": Result,
    "result_no_face": Result,
    "result_failed": Result,
    "result_analysis": Result,
    "result_analysis_of_less": Result,
    "reply_to_no_request": Result,
    "worker_status": WorkerStatus,
    "worker_status_starting": WorkerStatus,
    "crash_report": CrashReport,
    "replay_mark": ReplayMark,
}
SCHEMAS = {
    Result: "result",
    WorkerStatus: "worker-status",
    CrashReport: "crash-report",
    ReplayMark: "replay-mark",
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_every_golden_file_is_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*REQUESTS, *OUTPUTS}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_is_read_is_written_again(name: str) -> None:
    model = OUTPUTS[name].model_validate_json(golden(name))
    assert orjson.loads(wire.dumps(model)) == orjson.loads(golden(name))


@pytest.mark.parametrize("name", OUTPUTS)
def test_fields_come_in_the_documented_order(name: str) -> None:
    model = OUTPUTS[name].model_validate_json(golden(name))
    assert list(orjson.loads(wire.dumps(model))) == list(orjson.loads(golden(name)))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_says_what_was_said_and_defaults(name: str) -> None:
    request = parse_request(golden(name))
    assert request.model_dump(mode="json", exclude_unset=True) == orjson.loads(golden(name))
    assert parse_request(wire.dumps(request)) == request


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_fit_the_published_schema_as_given_and_as_written(name: str) -> None:
    request = parse_request(golden(name))
    validator = Draft202012Validator(json_schema("request"))
    validator.validate(orjson.loads(golden(name)))
    validator.validate(orjson.loads(wire.dumps(request)))


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_fit_the_published_schema(name: str) -> None:
    schema = json_schema(SCHEMAS[OUTPUTS[name]])
    Draft202012Validator(schema).validate(orjson.loads(golden(name)))


def without_embedding_value(result: Any) -> None:
    del result["faces"][0]["embedding"][0]


def with_unknown_status(result: Any) -> None:
    result["status"] = "fine"


def without_an_error_field(result: Any) -> None:
    del result["error"]


@pytest.mark.parametrize(
    "spoil", [without_embedding_value, with_unknown_status, without_an_error_field]
)
def test_the_published_schema_refuses_what_is_no_result(spoil: Any) -> None:
    document = orjson.loads(golden("result_ok"))
    spoil(document)
    assert not Draft202012Validator(json_schema("result")).is_valid(document)


@pytest.mark.parametrize("name", [name for name, model in OUTPUTS.items() if model is Result])
def test_a_results_id_follows_from_what_it_says(name: str) -> None:
    result = Result.model_validate_json(golden(name))
    code = result.error.code if result.error else None
    assert wire.result_id(result.request_id, result.operation, result.model, code) == result.id


def test_result_ids_are_fixed_for_ever() -> None:
    """Consumers keep them: these values were published."""
    expected = {
        "result_ok": "da20bf83-6ba0-5e76-af58-4e719e846676",
        "result_no_face": "0940b4c5-ea00-5191-9131-0024fda127d4",
        "result_failed": "636d9023-d10f-5b84-b66c-9365210a39a9",
        "result_analysis": "2782627c-237a-5cf5-97d4-47d3a9854b4d",
        "reply_to_no_request": "5f78e674-6977-5284-9735-9e8a708aec59",
    }
    assert {name: orjson.loads(golden(name))["id"] for name in expected} == expected


def test_a_failure_has_another_id_than_a_success() -> None:
    ok = Result.model_validate_json(golden("result_ok"))
    failed = wire.result_id(ok.request_id, ok.operation, ok.model, "inference_failed")
    assert failed != ok.id


def test_another_engine_or_precision_has_another_id_and_the_first_ones_keep_theirs() -> None:
    """Results of before they were named say nothing of either, and read as what computed them."""
    ok = Result.model_validate_json(golden("result_ok"))
    assert ok.model is not None
    older = orjson.loads(golden("result_ok"))
    del older["model"]["engine"], older["model"]["precision"]
    assert Result.model_validate(older) == ok
    others = [{"engine": "openvino"}, {"engine": "openvino", "precision": "bf16"}]
    others += [{"engine": "onnxruntime-cuda"}, {"engine": "onnxruntime-tensorrt"}]
    ids = {
        wire.result_id(ok.request_id, ok.operation, ok.model.model_copy(update=other))
        for other in [{}, *others]
    }
    assert ok.id in ids
    assert len(ids) == 5


def test_newer_fields_are_ignored_by_older_readers() -> None:
    document = orjson.loads(golden("result_ok"))
    document["from_the_future"] = document["faces"][0]["from_the_future"] = 1
    assert Result.model_validate_json(orjson.dumps(document)) == Result.model_validate_json(
        golden("result_ok")
    )
