"""The OpenAPI document says what the edge does; its pages need nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from http_edge.contract import ROUTES
from http_edge.errors import codes_of
from http_edge.openapi import document
from http_edge.routes import HANDLERS
from schemas.results import Result
from tests.edge_fake import KEY, FakeEdge, fake_edge

CONTRACT = Path(__file__).parent
STATIC = CONTRACT.parents[1] / "http_edge" / "static"
GOLDEN = {path.stem: path for path in sorted((CONTRACT / "golden" / "http").glob("*.json"))}
#: golden files that are no answers
_OTHERS = {"statuses", "compare-faces.request", "live.result"}


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    result = Result.model_validate_json((CONTRACT / "golden" / "result_ok.json").read_bytes())
    async with fake_edge(tmp_path, result) as edge:
        yield edge


@pytest.fixture
def openapi(edge: FakeEdge) -> Any:
    return document(edge.settings)


def validator(openapi: Any, schema: Any) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": openapi["components"]})


def schema_of(openapi: Any, name: str) -> Any:
    if name.startswith("error"):
        return {"$ref": "#/components/schemas/ErrorAnswer"}
    path = f"/api/v1/{name.split('.', maxsplit=1)[0]}"
    (operation,) = openapi["paths"][path].values()
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize("name", [name for name in GOLDEN if name not in _OTHERS])
def test_golden_answers_fit_their_schema(openapi: Any, name: str) -> None:
    answer = orjson.loads(GOLDEN[name].read_bytes())
    if name.startswith("health"):
        answer["uptime_s"] = 1.5
    validator(openapi, schema_of(openapi, name)).validate(answer)


def test_examples_fit_their_schemas(openapi: Any) -> None:
    count = 0
    for operation in _operations(openapi):
        bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
        for kind, media in [item for body in bodies for item in body.get("content", {}).items()]:
            if kind != "application/json":
                continue
            shown = [example["value"] for example in media.get("examples", {}).values()]
            shown += [media["example"]] if "example" in media else []
            for example in shown:
                validator(openapi, media["schema"]).validate(example)
                count += 1
    for schema in openapi["components"]["schemas"].values():
        for example in schema.get("examples", []):
            validator(openapi, schema).validate(example)
        for part in schema.get("properties", {}).values():
            for example in part.get("examples", []):
                validator(openapi, part).validate(example)
                count += 1
    assert count > 100


def test_every_route_is_documented_and_nothing_else(edge: FakeEdge, openapi: Any) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in edge.client.app.router.routes()
        if route.resource is not None and route.method in ("GET", "POST")
    }
    documented = {
        (method.upper(), path) for path, item in openapi["paths"].items() for method in item
    }
    assert {entry for entry in served if entry[1].startswith("/api")} == documented
    assert set(HANDLERS) == {route.name for route in ROUTES}


def test_every_error_is_documented_with_each_of_its_codes(openapi: Any) -> None:
    for operation in _operations(openapi):
        for status, response in operation["responses"].items():
            if status != "200":
                examples = response["content"]["application/json"]["examples"]
                assert set(examples) == set(codes_of(int(status)))
                assert {e["value"]["code"] for e in examples.values()} == set(examples)


def test_keyed_routes_say_so(openapi: Any) -> None:
    for route in ROUTES:
        operation = openapi["paths"][route.path][route.method.lower()]
        assert ("security" in operation) == route.keyed == ("401" in operation["responses"])


def test_references_resolve_and_components_are_used(openapi: Any) -> None:
    references = set(_references(openapi))
    for reference in references:
        found = openapi
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    named = {f"#/components/schemas/{name}" for name in openapi["components"]["schemas"]}
    assert named <= references


async def test_the_document_is_served_as_it_is_made(edge: FakeEdge, openapi: Any) -> None:
    status, served, _ = await edge.get("/openapi.json")
    assert (status, served) == (200, openapi)
    assert served["openapi"] == "3.1.0"
    assert KEY not in str(served)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_a_page_and_all_that_it_loads_come_from_here(edge: FakeEdge, page: str) -> None:
    async with edge.client.get(page) as response:
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(loaded) >= 4
    for address in loaded:
        assert "//" not in address
        async with edge.client.get(f"/{address}") as response:
            assert response.status == 200
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_nonce_is_used_once(edge: FakeEdge) -> None:
    policies = set()
    for _ in range(3):
        async with edge.client.get("/redoc") as response:
            policies.add(response.headers["Content-Security-Policy"])
            assert re.findall(r'data-nonce="([^"]+)"', await response.text())[0] in str(policies)
    assert len(policies) == 3


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/x"],
)
async def test_no_other_file_is_served(edge: FakeEdge, path: str) -> None:
    from yarl import URL

    address = URL(str(edge.client.make_url("/"))[:-1] + path, encoded=True)
    async with edge.client.session.get(address) as response:
        assert response.status in (403, 404)
        assert (await response.json())["face_detected"] is False


def test_the_packaged_files_keep_their_licences_and_call_no_foreign_logo() -> None:
    for folder in ("swagger-ui", "redoc"):
        assert (STATIC / folder / "LICENSE").is_file()
    assert "cdn.redoc.ly" not in (STATIC / "redoc" / "redoc.standalone.js").read_text()


def _operations(openapi: Any) -> Iterator[Any]:
    for item in openapi["paths"].values():
        yield from item.values()


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
