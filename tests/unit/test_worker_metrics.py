"""What a worker counts, how its supervisor puts it together, and the one port that tells it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.errors import ImageNotFound, NotJson
from schemas.results import ErrorInfo, ImageInfo, Result, Status
from schemas.topics import Operation
from stream.event import Partition
from stream.metrics import Load, Scraped, WorkerMetrics, merged
from stream.scraping import MetricsPortTaken, answering, ask, serving

#: the closed list, as an operator reads it
_OF_A_WORKER = {
    "facestream_events_total",
    "facestream_dead_letters_total",
    "facestream_stage_seconds_count",
    "facestream_waiting_events",
    "facestream_in_flight_events",
    "facestream_consumer_lag_events",
    "facestream_rebalances_total",
    "facestream_failed_replies_total",
    "facestream_result_cache_hits_total",
    "facestream_result_cache_misses_total",
    "facestream_model_load_seconds",
    "process_resident_memory_bytes",
}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes | str) -> Samples:
    """{(name, labels): value} of what Prometheus would read."""
    text = text.decode() if isinstance(text, bytes) else text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def result(
    status: Status = "ok",
    code: str | None = None,
    operation: Operation | None = "embed",
    **timings_ms: float,
) -> Result:
    return Result(
        id="r",
        request_id="q",
        operation=operation,
        status=status,
        error=None if code is None else ErrorInfo(code=code, message="…"),
        image=ImageInfo(uri=None, sha256=None, width=None, height=None),
        faces=[],
        model=None,
        timings_ms=timings_ms,
    )


def busy_worker() -> WorkerMetrics:
    metrics = WorkerMetrics()
    metrics.settled("bulk", result(detect=20.0, queue=1500.0), None)
    metrics.settled("bulk", result(detect=30.0), None)
    metrics.settled("interactive", result("no_face", operation="analyze"), None)
    metrics.settled(
        "bulk", result("failed", "image_not_found", fetch=4.0), ImageNotFound("not there")
    )
    metrics.settled("bulk", None, NotJson("no JSON"))
    metrics.rebalanced()
    metrics.reply_failed()
    metrics.models_loaded(1.25)
    return metrics


def test_every_metric_of_the_list_is_exposed_and_explained() -> None:
    load = Load({"bulk": 3}, {"bulk": 2}, {Partition("face.images", 1): 7})
    text = busy_worker().exposed(load).decode()
    assert {name for name, _ in samples(text)} >= _OF_A_WORKER
    ours = [f for f in text_string_to_metric_families(text) if f.name.startswith("facestream_")]
    assert all(family.documentation for family in ours)


def test_each_end_of_an_event_is_counted_under_what_it_was() -> None:
    found = samples(busy_worker().exposed(Load()))
    events = {labels: n for (name, labels), n in found.items() if name == "facestream_events_total"}

    def of(lane: str, operation: str, outcome: str) -> frozenset[tuple[str, str]]:
        return key("", lane=lane, operation=operation, outcome=outcome)[1]

    assert events == {
        of("bulk", "embed", "ok"): 2,
        of("interactive", "analyze", "no_face"): 1,
        of("bulk", "embed", "image_not_found"): 1,
        of("bulk", "none", "not_json"): 1,
    }
    assert found[key("facestream_dead_letters_total", code="image_not_found")] == 1
    assert found[key("facestream_dead_letters_total", code="not_json")] == 1
    assert found[key("facestream_rebalances_total")] == 1
    assert found[key("facestream_failed_replies_total")] == 1
    assert found[key("facestream_model_load_seconds")] == 1.25


def test_stages_are_told_in_seconds_and_only_those_that_ran() -> None:
    found = samples(busy_worker().exposed(Load()))
    assert found[key("facestream_stage_seconds_count", stage="detect")] == 2
    assert found[key("facestream_stage_seconds_sum", stage="detect")] == pytest.approx(0.05)
    assert found[key("facestream_stage_seconds_bucket", stage="detect", le="0.025")] == 1
    assert found[key("facestream_stage_seconds_sum", stage="queue")] == pytest.approx(1.5)
    assert key("facestream_stage_seconds_count", stage="embed") not in found


def test_the_lag_of_a_partition_that_was_given_away_is_told_no_more() -> None:
    metrics = WorkerMetrics()
    before = samples(metrics.exposed(Load(lag={Partition("face.images", 1): 7})))
    after = samples(metrics.exposed(Load(lag={Partition("face.images", 2): 1})))
    of_1 = key("facestream_consumer_lag_events", topic="face.images", partition="1")
    of_2 = key("facestream_consumer_lag_events", topic="face.images", partition="2")
    assert before[of_1] == 7
    assert of_1 not in after
    assert after[of_2] == 1


def test_workers_stand_side_by_side_and_a_dead_one_is_told_of_as_not_up() -> None:
    text = busy_worker().exposed(Load()).decode()
    found = samples(merged([Scraped("a", 1, text), Scraped("b", 3, text), Scraped("c", 2, None)]))
    for worker in ("a", "b"):
        assert found[key("facestream_dead_letters_total", code="not_json", worker=worker)] == 1
        assert found[key("facestream_stage_seconds_count", stage="detect", worker=worker)] == 2
    ups = {worker: found[key("facestream_worker_up", worker=worker)] for worker in "abc"}
    assert ups == {"a": 1, "b": 1, "c": 0}
    assert found[key("facestream_worker_starts_total", worker="b")] == 3
    assert not any(
        labels >= key("", worker="c")[1] for name, labels in found if "_worker_" not in name
    )


def test_no_workers_yet_is_told_without_an_error() -> None:
    assert samples(merged([])) == {}


async def test_a_socket_answers_each_time_with_what_is_true_then(tmp_path: Path) -> None:
    counted = iter(["facestream_a 1\n", "facestream_a 2\n"])
    path = tmp_path / "socket"
    assert await ask(path) is None, "nobody is there yet"
    async with answering(path, lambda: next(counted).encode()):
        assert await ask(path) == "facestream_a 1\n"
        assert await ask(path) == "facestream_a 2\n"
    assert await ask(path) is None, "nobody is there any more"


async def test_a_new_process_takes_the_socket_of_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    assert await ask(path) is None
    async with answering(path, lambda: b"alive 1\n"):
        assert await ask(path) == "alive 1\n"


async def test_the_port_serves_what_is_gathered_and_one_that_is_taken_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def gathered() -> bytes:
        return b"facestream_a 1\n"

    caplog.set_level("INFO", "stream.scraping")
    async with serving("127.0.0.1", 0, gathered):
        url = caplog.records[-1].getMessage().removeprefix("metrics at ")
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert await answer.text() == "facestream_a 1\n"
            assert answer.content_type == "text/plain"
        port = int(url.split(":")[-1].split("/")[0])
        with pytest.raises(MetricsPortTaken, match=f"METRICS_PORT.*127.0.0.1:{port}.*in use"):
            async with serving("127.0.0.1", port, gathered):
                await asyncio.sleep(0)


def test_the_readme_names_every_metric_of_ours() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    text = merged([Scraped("a", 1, busy_worker().exposed(Load()).decode())]).decode()
    families = [f for f in text_string_to_metric_families(text) if f.name.startswith("facestream_")]
    assert len(families) == 13
    for family in families:
        suffix = "_total" if family.type == "counter" else ""
        assert f"`{family.name}{suffix}`" in readme, family.name
