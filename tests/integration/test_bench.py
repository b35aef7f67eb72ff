"""`facestream bench`: one command, several sides, and a document of what was measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
import psutil
import pytest

IMAGES = 12
FILES = 5
SIDES = {"loop", "stream", "edge", "afternoon"}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that differ, in a folder whose name needs quoting in an address."""
    folder = tmp_path_factory.mktemp("some photographs, mixed")
    generator = np.random.default_rng(1)
    for number in range(FILES):
        pixels = generator.integers(0, 256, (200 + 40 * number, 250, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.jpg"), pixels)
    return folder


def begun(*arguments: str) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "bench", *arguments],
        env=environ | {"MODEL_PACK": "synthetic", "COLUMNS": "140"},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    with begun(*arguments) as process:
        try:
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def measured(out: Path, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What it printed, and the document that it wrote: one worker, one round."""
    done = bench(*arguments, "--workers", "1", "--rounds", "1", "--json", str(out))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = orjson.loads(out.read_bytes())
    return done.stdout, document


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "bench.json"


@pytest.fixture(scope="module")
def ran(photographs: Path, written: Path) -> tuple[str, dict[str, Any]]:
    few = ("--images", str(IMAGES), "--callers", "1", "--callers", "3")
    both = ("--operation", "detect", "--operation", "embed")
    return measured(written, str(photographs), *few, *both)


def cells(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["comparison"]["cells"]
    return found


def test_all_sides_compute_every_image_and_ours_find_the_same_faces(
    ran: tuple[str, dict[str, Any]],
) -> None:
    _, document = ran
    for operation in ("detect", "embed"):
        of_it = [one for one in cells(document) if one["operation"] == operation]
        assert {one["side"] for one in of_it} == SIDES
        assert all(one["images"] == IMAGES and one["failed"] == 0 for one in of_it)
        assert len({one["faces"] for one in of_it if one["side"] != "afternoon"}) == 1
        assert all(one["faces"] > 0 for one in of_it)
    assert document["comparison"]["other_faces"] == []
    assert document["comparison"]["model"]["pack"] == "synthetic"


def test_each_number_of_callers_is_measured_at_every_side_that_has_callers(
    ran: tuple[str, dict[str, Any]],
) -> None:
    _, document = ran
    embed = [one for one in cells(document) if one["operation"] == "embed"]
    callers = {
        side: {one["callers"] for one in embed if one["side"] == side} for side in sorted(SIDES)
    }
    assert callers == {
        "afternoon": {1, 3},
        "edge": {1, 3},
        "loop": {1, None},
        "stream": {1, 3, None},
    }
    for one in embed:
        if one["callers"] is not None:
            assert 0 < one["p50_ms"] <= one["p95_ms"]


def test_the_ratios_are_those_of_the_rates_of_the_same_round(
    ran: tuple[str, dict[str, Any]],
) -> None:
    _, document = ran
    for ratios in document["comparison"]["ratios"]:
        rates = {
            (one["side"], one["callers"]): one["images_per_s"]["rounds"][0]
            for one in cells(document)
            if one["operation"] == ratios["operation"]
        }
        whole = rates["stream", None]
        assert ratios["stream_to_loop"]["median"] == pytest.approx(whole / rates["loop", None])
        best = max(rates["afternoon", 1], rates["afternoon", 3])
        assert ratios["stream_to_afternoon"]["median"] == pytest.approx(whole / best)
        edge = rates["edge", 3]
        assert ratios["edge_to_stream"]["median"] == pytest.approx(edge / rates["stream", 3])


def test_every_side_says_what_it_cost(ran: tuple[str, dict[str, Any]]) -> None:
    _, document = ran
    for side in SIDES:  # of one cell alone it may be less than the 10 ms that are told apart
        of_it = [one for one in cells(document) if one["side"] == side]
        assert sum(one["cpu_s_per_image"]["median"] for one in of_it) > 0
    for one in cells(document):
        assert one["pss_bytes"] > 20e6
        if one["side"] == "stream":
            assert {"queue", "fetch", "decode", "detect", "publish"} <= one["stage_ms"].keys()


def test_it_says_what_it_ran_on(ran: tuple[str, dict[str, Any]], photographs: Path) -> None:
    printed, document = ran
    assert document["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert document["machine"]["versions"].keys() >= {"onnxruntime", "faust-streaming"}
    setup = document["setup"]
    assert setup["sets"] == [{"name": photographs.name, "files": FILES}]
    assert (setup["workers"], setup["rounds"], setup["max_faces"]) == (1, 1, 1)
    assert setup["broker"] == "embedded"
    for word in ("synthetic", "embedded", *SIDES, photographs.name):
        assert word in printed


def test_what_was_written_is_shown_for_a_readme_and_drawn(
    ran: tuple[str, dict[str, Any]], written: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "plot.png"
    done = bench("--from-json", str(written), "--markdown", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    _, document = ran
    ratio = document["comparison"]["ratios"][0]["stream_to_loop"]["median"]
    assert f"| {ratio:.3f} |" in done.stdout
    assert f"{document['machine']['cores']} cores" in done.stdout.splitlines()[0]
    pixels = cv2.imread(str(plot))
    assert pixels is not None
    assert pixels.std() > 0


def test_the_profile_tells_every_stage_and_thread(photographs: Path, tmp_path: Path) -> None:
    few = ("--images", "60", "--callers", "2", "--operation", "embed")
    printed, document = measured(tmp_path / "p.json", str(photographs), "--profile", *few)
    (profile,) = document["profile"]
    stages = profile["stages"]
    assert list(stages) == [
        *("queue", "fetch", "decode", "detect", "embed", "waiting", "publish", "whole")
    ]
    told_ms = sum(one["mean_ms"] for name, one in stages.items() if name != "whole")
    assert told_ms >= stages["whole"]["mean_ms"] * 0.99
    if sys.platform == "linux":
        assert "compute" in profile["thread_cpu_ms"]
    assert "waiting" in printed


def test_a_caller_is_measured_beside_a_flood_of_the_bulk_lane(
    photographs: Path, tmp_path: Path
) -> None:
    few = ("--images", "25", "--operation", "detect")
    printed, document = measured(tmp_path / "l.json", str(photographs), "--lanes", *few)
    lanes = document["lanes"]
    assert lanes["calls"] == 25
    assert lanes["bulk_images"] > 0
    assert lanes["in_flight"] > 16  # that one worker has in work
    assert lanes["p95_ratio"] == pytest.approx(lanes["flooded_p95_ms"] / lanes["idle_p95_ms"])
    assert "saturated" in printed


def test_memory_is_that_of_what_a_user_starts(photographs: Path, tmp_path: Path) -> None:
    printed, document = measured(
        tmp_path / "m.json", str(photographs), "--memory", "--images", str(IMAGES)
    )
    footprint = document["footprint"]
    assert footprint["workers"] == 1
    assert all(footprint["last_pss"][part] > 20e6 for part in ("workers", "edge", "rest"))
    assert footprint["first_answer_s"] > 0
    assert "workers and edge together" in printed


def test_growth_is_measured_with_models_that_sleep(tmp_path: Path) -> None:
    size = ("--processes", "2", "--scale-sleep-ms", "200", "--seconds", "1")
    printed, document = measured(tmp_path / "s.json", "--scale", *size, "--images", "200")
    scale = document["scale"]
    (growth,) = scale["growth"]
    assert growth["processes"] == 2
    assert growth["ratio"] == pytest.approx(growth["events_per_s"] / (2 * 5))
    assert 0 < growth["ratio"] <= 1
    assert 0 < scale["loop"]["worker_cpu_ms"] < scale["stream"]["worker_cpu_ms"]
    assert scale["edge"]["edge_cpu_ms"] > 0
    assert "growth" in printed


def test_a_folder_without_photographs_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = bench(str(tmp_path))
    assert done.returncode == 2
    assert "no photographs there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--lanes", "--operation", "detect", "--operation", "embed"), "one at a time"),
        (("--lanes", "--plot", "plot.png"), "--plot draws the comparison"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_starts(
    arguments: tuple[str, ...], said: str
) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_to_end_ends_what_it_started(
    photographs: Path, told: signal.Signals
) -> None:
    with begun(str(photographs), "--side", "stream", "--workers", "1") as process:
        try:
            ends_at = time.monotonic() + 60
            started: list[psutil.Process] = []
            while not any("stream.worker" in one.cmdline()[0] for one in started if one.cmdline()):
                assert time.monotonic() < ends_at
                time.sleep(0.05)
                started = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(told)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 1
    assert "Traceback" not in err
    _, left = psutil.wait_procs(started, timeout=1)
    assert left == []
