"""The contract as files for others: JSON Schemas of the models, and the AsyncAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from schemas import asyncapi
from schemas.crashes import CrashReport
from schemas.replays import ReplayMark
from schemas.requests import Request
from schemas.results import Result, WorkerStatus

FOLDER = Path(__file__).parent

_MODELS: dict[str, tuple[type[BaseModel], JsonSchemaMode]] = {
    "request": (Request, "validation"),
    "result": (Result, "serialization"),
    "worker-status": (WorkerStatus, "serialization"),
    "crash-report": (CrashReport, "serialization"),
    "replay-mark": (ReplayMark, "serialization"),
}


class _Generator(GenerateJsonSchema):
    """Titles for the models alone: a field's name says as much as its title would."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic gives it
        return False


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of the models."""
    model, mode = _MODELS[name]
    schema = model.model_json_schema(schema_generator=_Generator, mode=mode)
    identified = {
        "$schema": _Generator.schema_dialect,
        "$id": _id(name),
        "title": schema.pop("title"),
    }
    return identified | schema


def paths() -> list[Path]:
    """Every generated file, as it is shipped."""
    names = [*_MODELS, "rejected-headers"]
    return [*(FOLDER / "json" / f"{name}.schema.json" for name in names), FOLDER / "asyncapi.yaml"]


def files() -> dict[Path, str]:
    """Every generated file with what it must hold; the same at each call.

    Needs PyYAML, a development dependency: what is generated is shipped.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml gives it
            return True

    document = yaml.dump(
        asyncapi.document(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    written = {
        FOLDER / "json" / f"{name}.schema.json": _as_text(json_schema(name)) for name in _MODELS
    }
    written[FOLDER / "json" / "rejected-headers.schema.json"] = _as_text(
        {
            "$schema": _Generator.schema_dialect,
            "$id": _id("rejected-headers"),
            **asyncapi.REJECTED_HEADERS,
        }
    )
    written[FOLDER / "asyncapi.yaml"] = (
        "# Written by `facestream schemas --write` from schemas/: do not edit.\n" + document
    )
    return written


def stale(written: Mapping[Path, str]) -> list[Path]:
    """Of files with what they must hold: those that are missing or hold something else."""
    return [
        path
        for path, text in written.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def write(written: Mapping[Path, str]) -> list[Path]:
    """Write the stale ones anew; returns them."""
    changed = stale(written)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written[path], encoding="utf-8")
    return changed


def _id(name: str) -> str:
    return f"urn:facestream:{name}:v1"


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
