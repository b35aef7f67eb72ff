"""Results as they flow by: who may follow, what is told of them, and what is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from jsonschema import Draft202012Validator

from http_edge import live, live_stream
from http_edge.edge import EDGE
from http_edge.live_reading import Flow
from http_edge.live_results import LiveView
from http_edge.openapi import document
from http_edge.settings import EdgeSettings
from schemas import wire
from schemas.http import LIVE_FACES, LiveResult
from schemas.results import ErrorInfo, Result
from tests.edge_fake import AUTHORIZED, FakeEdge, fake_edge

GOLDEN = Path(__file__).parent / "golden"
LIVE = "/api/v1/live"
AT_MS = 1_764_000_000_500
SECRET = "not-for-others"

Event = tuple[str, Any]


def result(name: str = "result_analysis") -> Result:
    return Result.model_validate_json((GOLDEN / f"{name}.json").read_bytes())


def seen(one: Result | None = None) -> LiveResult:
    shown = LiveView().of(wire.dumps(one or result()), AT_MS)
    assert shown is not None
    return shown


class FakeSource:
    """In Kafka's place. Each that was made is in `made`, the newest last."""

    made: list[FakeSource]

    def __init__(
        self,
        settings: EdgeSettings,
        *,
        on_following: Callable[[bool], None],
        on_flow: Callable[[Flow], None],
    ) -> None:
        self.follow, self.flow = on_following, on_flow
        self.running = False
        self.made.append(self)

    def start(self) -> None:
        self.running = True
        self.follow(True)

    async def stop(self) -> None:
        self.running = False
        self.follow(False)


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> list[FakeSource]:
    made: list[FakeSource] = []
    monkeypatch.setattr(FakeSource, "made", made, raising=False)
    return made


@asynccontextmanager
async def an_edge(folder: Path, **changes: Any) -> AsyncIterator[FakeEdge]:
    async with fake_edge(folder, result(), **changes) as edge:
        edge.client.app[EDGE].live._make_source = FakeSource
        yield edge


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    async with an_edge(tmp_path) as edge:
        yield edge


@asynccontextmanager
async def followed(edge: FakeEdge) -> AsyncIterator[ClientResponse]:
    """A stream whose first words were read: that the topics are read."""
    async with edge.client.get(LIVE, headers=edge.headers) as response:
        assert response.status == 200, await response.text()
        while (await event(response)) != ("state", {"following": True}):
            pass
        yield response


async def event(response: ClientResponse) -> Event:
    name = (await response.content.readline()).decode()
    data = (await response.content.readline()).decode()
    assert await response.content.readline() == b"\n"
    return name.removeprefix("event: ").strip(), orjson.loads(data.removeprefix("data: "))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_who_has_no_key_follows_nothing(
    edge: FakeEdge, headers: dict[str, str], sources: list[FakeSource]
) -> None:
    status, answer, said = await edge.get(LIVE, headers=headers)
    assert (status, answer["code"], said["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    async with edge.client.head(LIVE, headers=headers) as response:
        assert response.status == 405, "no way around the key"
    assert sources == []


async def test_a_result_is_told_in_the_golden_shape(
    edge: FakeEdge, sources: list[FakeSource]
) -> None:
    golden = orjson.loads((GOLDEN / "http" / "live.result.json").read_bytes())
    async with followed(edge) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Request-ID"]
        sources[0].flow(Flow((seen(),)))
        name, told = await event(response)
    assert name == "result"
    components = document(edge.settings)["components"]
    schema = {"$ref": "#/components/schemas/LiveResult", "components": components}
    Draft202012Validator(schema).validate(told)
    assert {**told, "id": golden["id"]} == golden
    assert list(told) == list(golden)


def test_no_embedding_address_or_id_of_others_is_told() -> None:
    one = result()
    hostile = one.model_copy(
        update={
            "id": SECRET,
            "request_id": SECRET,
            "metadata": {SECRET: SECRET},
            "error": ErrorInfo(code=SECRET, message=SECRET),
            "image": one.image.model_copy(update={"uri": SECRET, "sha256": SECRET}),
            "timings_ms": {**one.timings_ms, SECRET: 1.0},
        }
    )
    told = wire.dumps(seen(hostile)).decode()
    assert SECRET not in told
    assert one.faces[0].embedding is not None
    assert str(one.faces[0].embedding[3]) not in told
    for word in ("embedding", "landmarks", "uri", "sha256", "metadata", "request_id", "message"):
        assert word not in told
    assert '"error_code":"error"' in told, "a code that nobody knows is no code"


def test_ids_tell_duplicates_and_nothing_else() -> None:
    view = LiveView()
    twice = [view.of(wire.dumps(result()), AT_MS) for _ in range(2)]
    assert twice[0] == twice[1]
    assert seen().id != seen().id, "whoever knows the result's id cannot find it"


def test_what_is_no_result_is_passed_over() -> None:
    assert LiveView().of(b"{}", AT_MS) is None
    assert LiveView().of(None, AT_MS) is None


def test_of_a_crowd_the_most_prominent_are_told() -> None:
    one = result()
    crowd = seen(one.model_copy(update={"faces": one.faces * 100}))
    assert (crowd.faces_found, len(crowd.faces)) == (100, LIVE_FACES)


def test_after_detection_nothing_is_measured() -> None:
    found = result("result_ok")
    face = seen(found).faces[0]
    assert face.bbox == found.faces[0].bbox
    assert (face.age, face.pose, face.expression) == (None, None, None)


async def test_who_takes_too_slowly_misses_the_oldest_and_is_told_how_many(
    edge: FakeEdge, sources: list[FakeSource]
) -> None:
    shown = seen()
    flow = tuple(shown.model_copy(update={"at_ms": number}) for number in range(live.WAITING + 7))
    async with followed(edge) as response:
        sources[0].flow(Flow(flow, passed_over=100))
        assert await event(response) == ("missed", {"results": 107})
        told = [(await event(response))[1]["at_ms"] for _ in range(live.WAITING)]
    assert told == [*range(7, live.WAITING + 7)]


async def test_kafka_is_read_once_and_only_while_somebody_listens(
    edge: FakeEdge, sources: list[FakeSource]
) -> None:
    async with followed(edge) as first, followed(edge) as second:
        assert [source.running for source in sources] == [True]
        sources[0].flow(Flow((seen(),)))
        assert (await event(first))[0] == (await event(second))[0] == "result"
        sources[0].follow(False)
        assert await event(first) == ("state", {"following": False})
    await nobody_listens(edge)
    assert [source.running for source in sources] == [False]
    async with followed(edge):
        sources[0].follow(False)  # the last word of one that has ended
        assert [source.running for source in sources] == [False, True]
        assert edge.client.app[EDGE].live._following


async def nobody_listens(edge: FakeEdge) -> None:
    gauge = "facestream_edge_live_listeners"
    async with asyncio.timeout(5):
        while edge.metrics.registry.get_sample_value(gauge) != 0:
            await asyncio.sleep(0.01)
            for source in FakeSource.made:
                source.flow(Flow((seen(),)))  # a write finds out who has left


async def test_more_listeners_than_places_are_503_until_one_leaves(tmp_path: Path) -> None:
    async with an_edge(tmp_path, live_listeners=1) as edge:
        async with followed(edge):
            status, answer, headers = await edge.get(LIVE, headers=edge.headers)
            assert (status, answer["code"]) == (503, "overloaded")
            assert int(headers["Retry-After"]) >= 1
        await nobody_listens(edge)
        async with followed(edge):
            pass


async def test_a_stream_counts_as_answered_when_it_begins(
    edge: FakeEdge, sources: list[FakeSource]
) -> None:
    async with followed(edge):
        await asyncio.sleep(0.3)
    await nobody_listens(edge)
    value = edge.metrics.registry.get_sample_value
    of_live = {"route": LIVE}
    assert value("facestream_edge_requests_total", {**of_live, "status": "200"}) == 1
    assert (value("facestream_edge_request_seconds_sum", of_live) or 1) < 0.3


async def test_where_it_is_switched_off_it_is_404(tmp_path: Path) -> None:
    async with an_edge(tmp_path, live_listeners=0) as edge:
        status, answer, _ = await edge.get(LIVE, headers=edge.headers)
        assert (status, answer["code"]) == (404, "live_off")


async def test_silence_is_broken_before_a_proxy_takes_it_for_death(
    edge: FakeEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "_SILENCE_S", 0.02)
    async with followed(edge) as response:
        assert await response.content.readline() == b": still here\n"


async def test_who_takes_nothing_at_all_gives_its_place_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "_STUCK_S", 0.1)
    async with an_edge(tmp_path, live_listeners=1) as edge:
        with socket.create_connection((edge.client.host, edge.client.port or 0)) as deaf:
            head = f"GET {LIVE} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZED['Authorization']}"
            deaf.sendall(f"{head}\r\n\r\n".encode())
            async with asyncio.timeout(5):
                while not FakeSource.made:  # noqa: ASYNC110 - a list tells nobody when it grows
                    await asyncio.sleep(0.01)
            many = Flow((seen(result().model_copy(update={"faces": result().faces * 20})),) * 50)
            async with asyncio.timeout(20):
                while FakeSource.made[0].running:
                    FakeSource.made[0].flow(many)
                    await asyncio.sleep(0.01)
        async with followed(edge):
            pass


async def test_an_edge_that_stops_ends_its_streams(
    edge: FakeEdge, sources: list[FakeSource]
) -> None:
    async with followed(edge) as response:
        edge.client.app[EDGE].live.close()
        async with asyncio.timeout(5):
            assert await response.content.read() == b""
