"""Slow callers, many callers, callers who leave: what each may take, and what is given back."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from http_edge.workers import HeardWorker
from schemas.results import Result
from tests.edge_fake import AUTHORIZED, KEY, PNG, Asked, FakeEdge, fake_edge, status_of_worker

GOLDEN = Path(__file__).parent / "golden"
TEXT = base64.b64encode(PNG).decode()
UPLOADED = {"json": {"image_base64": TEXT}}
RAW = {"Content-Type": "image/png"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def ok() -> Result:
    return Result.model_validate_json((GOLDEN / "result_ok.json").read_bytes())


class Held:
    """The gateway's answers wait until they are let go."""

    def __init__(self, edge: FakeEdge) -> None:
        self.let_go = asyncio.Event()
        self.most = 0
        self._edge = edge
        edge.gateway.answer = self._answer

    async def _answer(self, asked: Asked) -> Result:
        self.most = max(self.most, self._edge.gateway.waiting)
        await self.let_go.wait()
        return ok()


def value(edge: FakeEdge, name: str, **labels: str) -> float | None:
    return edge.metrics.registry.get_sample_value(f"facestream_edge_{name}", labels)


async def slow(pause_s: float) -> AsyncIterator[bytes]:
    yield PNG[:8]
    while True:
        await asyncio.sleep(pause_s)
        yield b"\0"


async def test_more_images_than_places_are_503_at_once(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok(), max_in_flight=2) as edge:
        held = Held(edge)
        waiting = [asyncio.create_task(edge.post("verify-face", **UPLOADED)) for _ in range(2)]
        await edge.gateway.until_waiting(2)
        assert value(edge, "images_in_flight") == 2
        for route, how in (
            ("verify-face", UPLOADED),
            ("batch-extract", {"json": {"images": [TEXT]}}),
        ):
            status, answer, headers = await edge.post(route, **how)
            assert (status, answer["code"]) == (503, "overloaded")
            assert int(headers["Retry-After"]) >= 1
        held.let_go.set()
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200, 200]
        assert (await edge.post("verify-face", **UPLOADED))[0] == 200
        assert value(edge, "images_in_flight") == 0


async def test_a_batch_takes_half_of_the_places_and_its_images_wait_their_turn(
    tmp_path: Path,
) -> None:
    async with fake_edge(tmp_path, ok(), max_in_flight=8) as edge:
        held = Held(edge)
        batch = asyncio.create_task(edge.post("batch-extract", json={"images": [TEXT] * 20}))
        await edge.gateway.until_waiting(4)
        single = asyncio.create_task(edge.post("verify-face", **UPLOADED))
        await edge.gateway.until_waiting(5)
        held.let_go.set()
        status, answer, _ = await batch
        assert (status, answer["successful"]) == (200, 20)
        assert (await single)[0] == 200
        assert held.most == 5


async def test_a_batch_whose_time_is_up_answers_with_what_it_has(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok(), max_in_flight=4, request_timeout_s=0.4) as edge:

        async def answer(asked: Asked) -> Result:
            assert asked.deadline_s is not None
            assert 0 < asked.deadline_s <= 0.4
            if len(edge.gateway.asked) > 1:
                await asyncio.sleep(3600)
            return ok()

        edge.gateway.answer = answer
        status, body, _ = await edge.post("batch-extract", json={"images": [TEXT] * 10})
        assert (status, body["successful"], body["failed"]) == (200, 1, 9)
        assert {face["code"] for face in body["results"][1:]} == {"no_answer"}
        assert value(edge, "images_in_flight") == 0


async def test_a_slow_body_is_408_and_holds_no_place_of_those_in_flight(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok(), upload_timeout_s=0.3, max_in_flight=1) as edge:
        late = asyncio.create_task(edge.post("verify-face", data=slow(0.05), headers=RAW))
        await asyncio.sleep(0.1)
        assert value(edge, "uploads") == 1
        assert (await edge.post("verify-face", **UPLOADED))[0] == 200
        status, answer, _ = await late
        assert (status, answer["code"]) == (408, "upload_timed_out")
        assert value(edge, "uploads") == 0


async def test_the_slowest_bodies_give_way_where_there_is_no_place(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok(), upload_places=4) as edge:
        late = [
            asyncio.create_task(edge.post("verify-face", data=slow(0.05), headers=RAW))
            for _ in range(4)
        ]
        while value(edge, "uploads") != 4:  # noqa: ASYNC110 - a gauge tells nobody when it moves
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*(edge.post("verify-face", **UPLOADED) for _ in range(3)))
        assert [status for status, _, _ in answers] == [200] * 3
        for task in late:
            task.cancel()
        ended = await asyncio.gather(*late, return_exceptions=True)
        ousted = [end for end in ended if not isinstance(end, BaseException)]
        assert {(status, answer["code"]) for status, answer, _ in ousted} <= {
            (408, "upload_timed_out")
        }


async def test_bodies_share_a_bounded_memory(tmp_path: Path) -> None:
    image = PNG + bytes(900)
    async with fake_edge(
        tmp_path, ok(), max_image_bytes=1000, max_body_bytes=1000, upload_places=64
    ) as edge:
        started = asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            yield image
            started.set()
            await asyncio.sleep(3600)

        late = []
        for _ in range(4):
            started.clear()
            late.append(asyncio.create_task(edge.post("verify-face", data=stuck(), headers=RAW)))
            await started.wait()
        await asyncio.sleep(0.05)
        status, answer, _ = await edge.post("verify-face", data=image, headers=RAW)
        assert (status, answer["code"]) == (503, "overloaded")
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        async with asyncio.timeout(5):
            while (await edge.post("verify-face", data=image, headers=RAW))[0] != 200:  # noqa: ASYNC110 - as a caller would
                await asyncio.sleep(0.02)


async def test_a_caller_who_hangs_up_is_waited_for_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "http_edge.access")
    async with fake_edge(tmp_path, ok(), max_in_flight=1) as edge:
        Held(edge)
        gone = asyncio.create_task(edge.post("verify-face", **UPLOADED))
        await edge.gateway.until_waiting(1)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await edge.gateway.until_waiting(0)
        await asyncio.sleep(0)
        assert value(edge, "images_in_flight") == 0
        assert orjson.loads(caplog.messages[-1])["status"] == 499


async def test_a_key_has_its_own_rate(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok(), api_key=f"{KEY},other", rate_limit_per_minute=3) as edge:
        for _ in range(3):
            assert (await edge.post("verify-face", **UPLOADED))[0] == 200
        status, answer, headers = await edge.post("verify-face", **UPLOADED)
        assert (status, answer["code"]) == (429, "rate_limited")
        assert 1 <= int(headers["Retry-After"]) <= 20
        edge.headers = {"Authorization": "Bearer other"}
        assert (await edge.post("verify-face", **UPLOADED))[0] == 200
        edge.headers = {"Authorization": "Bearer wrong"}
        assert (await edge.post("verify-face", **UPLOADED))[0] == 401
        assert (await edge.get("/api/v1/health"))[0] == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("order-17/a:b=c+d@e_f.g", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("with space", False),
        ('quote"', False),
        ("ünï", False),
    ],
)
async def test_a_request_id_is_kept_where_it_can_be_logged(
    tmp_path: Path, given: str, kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "http_edge.access")
    async with fake_edge(tmp_path, ok()) as edge:
        how: dict[str, Any] = {"headers": {"X-Request-ID": given}}
        _, _, headers = await edge.get("/api/v1/ready", **how)
    assert (headers["X-Request-ID"] == given) == kept
    assert orjson.loads(caplog.messages[-1])["id"] == headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("given", "passed"),
    [(TRACE, TRACE.encode()), ("00-x", None), (None, None), ("ff" + TRACE[2:], None)],
)
async def test_traceparent_is_passed_on(
    tmp_path: Path, given: str | None, passed: bytes | None
) -> None:
    headers = {} if given is None else {"traceparent": given}
    async with fake_edge(tmp_path, ok()) as edge:
        await edge.post("verify-face", headers=headers, **UPLOADED)
        await edge.post("batch-extract", headers=headers, json={"images": [TEXT]})
        assert [asked.traceparent for asked in edge.gateway.asked] == [passed, passed]


async def test_a_request_is_one_line_that_holds_no_key_image_or_embedding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with fake_edge(tmp_path, ok()) as edge:
        await edge.post("extract-embedding?secret=in-query", headers=RAW, data=PNG)
        await edge.post("extract-embedding", headers=RAW, data=b"nothing")
        await edge.get("/secret/path")
        requests = value(edge, "requests_total", route="/api/v1/extract-embedding", status="200")
        assert requests == 1
        assert value(edge, "requests_total", route="other", status="404") == 1
        assert value(edge, "upload_bytes_total") == len(PNG) + 7
    lines = [
        orjson.loads(record.message)
        for record in caplog.records
        if record.name == "http_edge.access"
    ]
    assert [line["status"] for line in lines] == [200, 415, 404]
    assert [line["code"] for line in lines] == [None, "not_an_image", "not_found"]
    assert [line["bytes"] for line in lines] == [len(PNG), 7, 0]
    assert lines[0]["route"] == "/api/v1/extract-embedding"
    assert lines[0].keys() == {"time", "id", "method", "route", "status", "code", "ms", "bytes"}
    for secret in (KEY, TEXT, "-1.992188", "secret"):
        assert secret not in caplog.text


async def test_an_answer_does_not_wait_for_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    write = web.Response.write_eof

    async def written(response: web.Response, data: bytes = b"") -> None:
        await write(response, data)
        done.append("written")

    monkeypatch.setattr(web.Response, "write_eof", written)
    monkeypatch.setattr("http_edge.app.log_request", lambda **_: done.append("logged"))
    async with fake_edge(tmp_path, ok()) as edge:
        await edge.post("verify-face", **UPLOADED)
        await edge.get("/api/v1/ready")
    assert done == ["written", "logged"] * 2


async def test_pages_of_known_origins_may_call(tmp_path: Path) -> None:
    origins = "https://app.example.com, http://localhost:3000/"
    async with fake_edge(tmp_path, ok(), cors_origins=origins) as edge:
        for origin in ("https://app.example.com", "http://localhost:3000"):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
            }
            async with edge.client.options("/api/v1/verify-face", headers=asked) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == origin
            for key in (AUTHORIZED, {}):
                headers = {"Origin": origin, **key}
                async with edge.client.post("/api/v1/verify-face", headers=headers) as response:
                    assert response.headers["Access-Control-Allow-Origin"] == origin
                    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]
                    assert "Origin" in response.headers["Vary"]
        stranger = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "POST"}
        async with edge.client.options("/api/v1/verify-face", headers=stranger) as response:
            assert response.status == 403
            assert "evil" not in await response.text()
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_metrics_are_a_closed_list_that_prometheus_reads(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    async with fake_edge(tmp_path, ok()) as edge:
        await edge.post("verify-face", **UPLOADED)
        async with edge.client.get("/metrics") as response:
            assert response.content_type == "text/plain"
            families = list(text_string_to_metric_families(await response.text()))
    ours = {family.name for family in families if family.name.startswith("facestream")}
    assert {name for name in ours if not name.endswith("_created")} == {
        "facestream_edge_able_workers",
        "facestream_edge_images_in_flight",
        "facestream_edge_late_replies",
        "facestream_edge_live_listeners",
        "facestream_edge_pending_replies",
        "facestream_edge_reply_seconds",
        "facestream_edge_request_seconds",
        "facestream_edge_requests",
        "facestream_edge_unknown_replies",
        "facestream_edge_upload_bytes",
        "facestream_edge_uploads",
    }
    assert all(family.documentation for family in families)


async def test_metrics_say_how_many_workers_would_answer_now(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, ok()) as edge:
        for able in ((), (False,), (True, False, True)):
            status = status_of_worker()
            edge.gateway.heard = [HeardWorker(status, 0.25, able=one) for one in able]
            async with edge.client.get("/metrics") as response:
                assert response.status == 200
            assert value(edge, "able_workers") == sum(able)
