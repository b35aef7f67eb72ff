"""`facestream bench`: one command, two sides, and a document of what was measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
import pytest

IMAGES = 24
FILES = 5


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that differ, in a folder whose name needs quoting in an address."""
    folder = tmp_path_factory.mktemp("some photographs, mixed")
    generator = np.random.default_rng(1)
    for number in range(FILES):
        pixels = generator.integers(0, 256, (200 + 40 * number, 250, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.jpg"), pixels)
    return folder


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "bench", *arguments],
        env=environ | {"MODEL_PACK": "synthetic", "COLUMNS": "100"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def ran(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What it printed, and the document that it wrote."""
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    one = ("--rounds", "1", "--workers", "1", "--images", str(IMAGES), "--json", str(out))
    both = ("--operation", "detect", "--operation", "embed")
    done = bench(str(photographs), *one, *both)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = orjson.loads(out.read_bytes())
    return done.stdout, document


def test_both_sides_compute_every_image_and_find_the_same_faces(
    ran: tuple[str, dict[str, Any]],
) -> None:
    _, document = ran
    assert [one["operation"] for one in document["operations"]] == ["detect", "embed"]
    for one in document["operations"]:
        assert one["same_faces"] is True
        assert one["stream"]["images"] == one["loop"]["images"] == IMAGES
        assert one["stream"]["failed"] == one["loop"]["failed"] == 0
        assert one["stream"]["faces"] == one["loop"]["faces"] > 0
        assert one["model"]["pack"] == "synthetic"


def test_the_ratio_is_that_of_the_rates_of_the_same_round(ran: tuple[str, dict[str, Any]]) -> None:
    _, document = ran
    for one in document["operations"]:
        stream, loop = (one[side]["images_per_s"]["rounds"] for side in ("stream", "loop"))
        assert len(stream) == len(loop) == len(one["ratio"]["rounds"]) == 1
        assert one["ratio"]["median"] == pytest.approx(stream[0] / loop[0])


def test_both_sides_say_what_they_cost(ran: tuple[str, dict[str, Any]]) -> None:
    _, document = ran
    for one in document["operations"]:
        for side in ("stream", "loop"):
            assert one[side]["cpu_s_per_image"]["median"] > 0
            assert one[side]["peak_rss_bytes"] > 20e6
            assert {"fetch", "decode", "detect"} <= one[side]["stage_ms"].keys()
        assert one["broker_cpu_s_per_image"] >= 0


def test_it_says_what_it_ran_on(ran: tuple[str, dict[str, Any]], photographs: Path) -> None:
    printed, document = ran
    assert document["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert document["machine"]["versions"].keys() >= {"onnxruntime", "faust-streaming"}
    setup = document["setup"]
    assert (setup["photographs"], setup["files"], setup["images"]) == (
        photographs.name,
        FILES,
        IMAGES,
    )
    assert (setup["workers"], setup["rounds"], setup["max_faces"]) == (1, 1, 1)
    assert setup["broker"] == "embedded"
    for word in ("synthetic", "embedded", "stream", "loop", photographs.name):
        assert word in printed


def test_a_folder_without_photographs_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = bench(str(tmp_path))
    assert done.returncode == 2
    assert "no photographs there" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_http_caller_is_measured_beside_the_direct_call(
    photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "edge.json"
    few = ("--images", "6", "--workers", "1", "--json", str(out))
    done = bench(str(photographs), "--edge", *few)
    assert done.returncode == 0, done.stderr
    document = orjson.loads(out.read_bytes())
    latency = document["latency"]
    assert latency["images"] == 6
    assert latency["edge_median_ms"] > 0
    assert latency["direct_median_ms"] > 0
    assert document["setup"]["broker"] == "embedded"
    assert "called directly" in done.stdout


def test_the_edge_is_measured_for_one_operation_only(photographs: Path) -> None:
    done = bench(str(photographs), "--edge", "--operation", "detect")
    assert done.returncode == 2
    assert "--edge measures extract-embedding" in done.stderr
