"""Schemathesis against a running edge: no 500, no answer that breaks its schema, nothing let in
that the schema forbids."""

from __future__ import annotations

import asyncio
import sys
from itertools import cycle
from pathlib import Path

import pytest

from schemas.results import Result
from tests.edge_fake import KEY, Asked, failed, fake_edge

GOLDEN = Path(__file__).parent / "golden"
#: a schema cannot say which texts are an image: that valid ones may be refused is no failure
NOT_CHECKED = "positive_data_acceptance"


@pytest.mark.timeout(240)
async def test_no_answer_breaks_the_documentation(tmp_path: Path) -> None:
    found, nobody = (
        Result.model_validate_json((GOLDEN / f"{name}.json").read_bytes())
        for name in ("result_analysis", "result_no_face")
    )
    results = cycle([found, found, nobody, failed("damaged_image"), failed("too_many_pixels")])

    async def answer(asked: Asked) -> Result:
        return next(results)

    # a stream that never ends is no answer that it could look at
    async with fake_edge(tmp_path / "edge", found, live_listeners=0) as edge:
        edge.gateway.answer = answer
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            str(edge.client.make_url("/openapi.json")),
            *("--header", f"Authorization: Bearer {KEY}"),
            *("--checks", "all", "--exclude-checks", NOT_CHECKED),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "15"),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
            *("--seed", "20261123"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        asked = len(edge.gateway.asked)
    assert process.returncode == 0, output.decode()
    assert asked > 20, "it got as far as the workers"
