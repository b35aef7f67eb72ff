"""The playground's page: what its policy forbids, what it loads, whose photographs it offers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from schemas.results import Result
from tests.edge_fake import FakeEdge, fake_edge

CONTRACT = Path(__file__).parent
STATIC = CONTRACT.parents[1] / "http_edge" / "static"
MODULES = sorted((STATIC / "playground").glob("*.js"))


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    result = Result.model_validate_json((CONTRACT / "golden" / "result_ok.json").read_bytes())
    async with fake_edge(tmp_path, result) as edge:
        yield edge


async def test_its_policy_allows_what_comes_from_here_and_nothing_inline(edge: FakeEdge) -> None:
    async with edge.client.get("/") as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["Permissions-Policy"].startswith("camera=(self), microphone=()")
        assert response.headers["Referrer-Policy"] == "no-referrer"
        page = await response.text()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert "nonce" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", page)


async def test_it_and_all_that_it_loads_come_from_here(edge: FakeEdge) -> None:
    async with edge.client.get("/") as response:
        loaded = set(re.findall(r'(?:src|href)="([^"#]+)"', await response.text()))
    for module in MODULES:
        imported = re.findall(r'from "\./([\w.]+)"', module.read_text())
        loaded |= {f"static/playground/{name}" for name in imported}
    assert len(loaded) > 20
    for address in loaded:
        assert "//" not in address
        async with edge.client.get(f"/{address}") as response:
            assert response.status == 200, address


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_module_makes_markup_of_texts_or_keeps_the_key(module: Path) -> None:
    code = module.read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", code)
    assert "localStorage" not in code
    assert "cookie" not in code


async def test_samples_are_those_of_installed_packages(edge: FakeEdge) -> None:
    _, listed, _ = await edge.get("/samples")
    assert "astronaut.png" in [sample["name"] for sample in listed]
    for sample in listed:
        assert sample["shows"]
        assert "comes with" in sample["credit"]
        async with edge.client.get(f"/samples/{sample['name']}") as response:
            assert response.status == 200
            assert response.content_type.startswith("image/")
            assert len(await response.read()) > 10_000


@pytest.mark.parametrize("name", ["nothing.png", "..%2f..%2fapp.py", "t1.jpg"])
async def test_no_other_file_is_a_sample(edge: FakeEdge, name: str) -> None:
    status, answer, _ = await edge.get(f"/samples/{name}")
    assert (status, answer["face_detected"]) == (404, False)


def test_a_threshold_says_with_what_and_on_how_many_pairs_it_was_measured() -> None:
    known = orjson.loads((STATIC / "playground" / "thresholds.json").read_bytes())
    assert known
    for recognizer, measured in known.items():
        assert re.fullmatch(r"\w+@[0-9a-f]{8}", recognizer)
        assert -1 < measured["threshold"] < 1
        for rate in (measured["false_match"], measured["false_non_match"]):
            low, high = rate["interval_95"]
            assert low <= rate["wrong"] / rate["of"] <= high
            assert rate["of"] >= 100
        assert measured["pack"]
        assert measured["photographs"]
