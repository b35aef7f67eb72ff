"""The arithmetic of the other parts of `facestream bench`, and its document."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import document as documents
from benchmarks.arrivals import Arrival, Arrived
from benchmarks.batches import BenchmarkFailed, Run
from benchmarks.callers import ask_all
from benchmarks.document import Document, PhotographsUsed, Setup, UnreadableDocument
from benchmarks.http_callers import faces_said
from benchmarks.lanes import LanesOrder, LanesReport, summarize_lanes
from benchmarks.machine import Machine
from benchmarks.photographs import PhotographSet
from benchmarks.plot import apart
from benchmarks.scale import EventCost, Growth, ScaleReport, share_of_sleepers
from benchmarks.sleeping_models import SLEEP_MS, load_sleeping
from benchmarks.stages import largest_first, stages_of
from cli.bench_printing import markdown
from stream.models.settings import ModelSettings
from stream.pipeline import Pipeline

MACHINE = Machine("a processor", 2, "Linux", "3.11", {"onnxruntime": "1.32"})
SETUP = Setup(
    sets=(PhotographsUsed("small", 769),),
    workers=2,
    rounds=3,
    max_faces=1,
    pack="synthetic",
    det_size=640,
    det_size_mode="image",
    threads_per_session=1,
    engine="onnxruntime CPUExecutionProvider",
    broker="embedded",
)
SCALE = ScaleReport(
    operation="embed",
    sleep_ms=200.0,
    broker="kafka",
    growth=(Growth(2, 8, 96, 3.0, 9.8, 0.98, 1.25),),
    loop=EventCost(2, 3000, 9000.0, 0.2, None),
    stream=EventCost(2, 3000, 1500.0, 0.61, None),
    edge=EventCost(2, 3000, 700.0, 0.75, 0.5),
)


async def test_as_many_are_under_way_as_there_are_callers() -> None:
    under_way, most = 0, 0

    async def ask(path: Path) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return path.name

    paths = [Path(f"/{number}") for number in range(7)]
    answered = await ask_all(paths, 3, ask)
    assert most == 3
    assert answered.answers == tuple(path.name for path in paths)
    assert len(answered.waits_ms) == 7


async def test_a_result_counts_once_and_only_when_it_is_expected() -> None:
    arrival = Arrival({b"a", b"b"})
    first = Arrived(b"1", 0.0, 0.0)
    arrival.take(b"a", first)
    arrival.take(b"a", Arrived(b"2", 0.0, 0.0))
    arrival.take(b"of the round before", Arrived(b"3", 0.0, 0.0))
    assert arrival.came == {b"a": first}
    with pytest.raises(BenchmarkFailed, match="1 of 2 results are missing"):
        await arrival.wait(0.001)
    arrival.take(b"b", Arrived(b"4", 0.0, 0.0))
    await arrival.wait(1)


def test_an_http_answer_tells_faces_a_failed_image_or_that_nothing_was_measured() -> None:
    assert faces_said(200, b'{"faces": [{}, {}]}') == 2
    assert faces_said(200, b'{"face_detected": true}') == 1
    assert faces_said(400, b'{"code": "no_face"}') == 0
    assert faces_said(400, b'{"code": "damaged_image"}') is None
    for status in (429, 503):
        with pytest.raises(BenchmarkFailed, match=str(status)):
            faces_said(status, b"{}")


def test_what_no_stage_tells_of_was_waiting() -> None:
    run = Run(
        elapsed_s=1.0,
        faces=(1, 0),
        waits_ms=(20.0, 10.0),
        stages_ms=(
            {"queue": 2.0, "detect": 6.0, "embed": 4.0, "publish": 3.0},
            {"queue": 2.0, "detect": 6.0, "publish": 3.0},
        ),
    )
    stages = stages_of(run)
    assert list(stages) == ["queue", "detect", "embed", "waiting", "publish", "whole"]
    assert stages["waiting"].mean_ms == 2.5  # 5 ms, and none where the clocks' sum exceeds it
    assert stages["embed"].mean_ms == 2.0
    parts = sum(stage.mean_ms for name, stage in stages.items() if name != "whole")
    assert stages["whole"].mean_ms == 15.0 == parts - 0.5


def test_threads_are_told_by_what_they_used() -> None:
    assert largest_first({"main": 0.4, "compute": 9.0, "idle": 0.001}) == {
        "compute": 9.0,
        "main": 0.4,
    }


def test_ten_sleepers_of_200_ms_do_50_a_second_at_most() -> None:
    assert share_of_sleepers(45.0, processes=10, sleep_ms=200.0) == 0.9


def test_a_model_that_sleeps_shows_one_face_and_sleeps_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SLEEP_MS, "30")
    settings = ModelSettings()
    timings_ms: dict[str, float] = {}
    pipeline = Pipeline(load_sleeping(settings), settings)
    (face,) = pipeline.run(np.zeros((40, 60, 3), np.uint8), "embed", 1, timings_ms)
    assert len(face.embedding or []) == 512
    assert timings_ms["detect"] >= 30


def test_an_event_at_the_edge_costs_the_worker_and_the_edge() -> None:
    assert (SCALE.stream.cpu_ms, SCALE.edge.cpu_ms) == (0.61, 1.25)


def test_what_the_bare_loop_takes_for_an_image_is_not_around_inference() -> None:
    assert SCALE.around_ms(SCALE.stream) == pytest.approx(0.41)
    assert SCALE.around_ms(SCALE.edge) == pytest.approx(1.05)


def test_a_flooded_callers_p95_is_told_by_its_idle_value() -> None:
    order = LanesOrder("embed", PhotographSet("small", (), ()), calls=4, rounds=1)
    report = summarize_lanes(order, [10.0] * 4, [10.0, 10.0, 10.0, 25.0], in_flight=512, came=900)
    assert (report.p95_ratio, report.idle_p95_ms, report.flooded_p50_ms) == (2.5, 10.0, 10.0)


def test_documents_are_read_as_they_were_written_and_put_together(tmp_path: Path) -> None:
    lanes = LanesReport("small", "embed", 150, 20.0, 25.0, 30.0, 40.0, 1.6, 512, 2000)
    first = Document("2026-01-01T00:00:00+00:00", MACHINE, SETUP, lanes=lanes)
    second = Document("2026-01-02T00:00:00+00:00", MACHINE, SETUP, scale=SCALE)
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, document in zip(paths, (first, second), strict=True):
        documents.write(document, path)
    assert documents.read(paths[:1]) == first
    assert documents.read(paths) == replace(second, lanes=lanes)


def test_what_is_no_document_or_another_machines_is_refused(tmp_path: Path) -> None:
    path, others = tmp_path / "one.json", tmp_path / "others.json"
    path.write_text("{}")
    with pytest.raises(UnreadableDocument, match=r"one\.json"):
        documents.read([path])
    documents.write(Document("2026-01-01", MACHINE, SETUP), path)
    documents.write(Document("2026-01-01", replace(MACHINE, cores=64), SETUP), others)
    with pytest.raises(UnreadableDocument, match="different machines"):
        documents.read([path, others])


def test_labels_of_lines_that_end_side_by_side_are_drawn_apart() -> None:
    assert apart([90.0, 88.0, 14.0], least=6.0) == [90.0, 84.0, 14.0]
    assert apart([], least=6.0) == []


def test_markdown_has_the_machine_and_a_table_for_each_part() -> None:
    lines = list(markdown(Document("2026-01-01", MACHINE, SETUP, scale=SCALE)))
    assert "a processor, 2 cores" in lines[0]
    assert "| 2 | 8 | 96 | 3.0 | 9.80 | 0.980 | 1.25 |" in lines
    assert "| bare loop | 9000 | 0.20 | – | 0.20 | – |" in lines
    assert "| edge | 700 | 0.75 | 0.50 | 1.25 | 1.05 |" in lines
    columns = {line.count("|") for line in lines if line.startswith(("| processes", "| ---"))}
    assert len(columns) == 2
