"""The whole edge on both brokers, with real workers and weights: every route and form, photographs
in and the old API's answers out."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from http_edge.app import build_app
from http_edge.kafka import Gateway
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from stream.io.blobs import BlobStore
from tests.brokers import Broker
from tests.edge_fake import AUTHORIZED, KEY, Client
from tests.rig import Rig

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "http"
IMAGE_ROUTES = ("verify-face", "extract-embedding", "analyze-face-advanced")
Answer = tuple[int, Any]


def golden(name: str) -> Any:
    return orjson.loads((GOLDEN / f"{name}.json").read_bytes())


def shape(value: Any) -> Any:
    """What a JSON value is made of: fields in their order, lengths of lists, kinds of values."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [len(value), {repr(shape(inner)) for inner in value}]
    return (
        "number" if isinstance(value, int | float) and value is not True else type(value).__name__
    )


def grey(side_px: int) -> bytes:
    """A PNG on which there is nobody."""
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * side_px for _ in range(side_px)))

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )


@asynccontextmanager
async def web_server(data: bytes) -> AsyncIterator[str]:
    """Serves one photograph, and is no server of any other."""

    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=data, content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/photo.jpg", serve)
    server = TestServer(app)
    await server.start_server(access_log=None)
    try:
        yield str(server.make_url("/"))
    finally:
        await server.close()


class Caller:
    """Calls the edge with a key."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def post(self, route: str, **how: Any) -> Answer:
        headers = {**AUTHORIZED, **how.pop("headers", {})}
        if isinstance(how.get("data"), bytes):
            how["data"] = io.BytesIO(how["data"])  # large bytes would hold up the event loop
        async with self.client.post(f"/api/v1/{route}", headers=headers, **how) as response:
            return response.status, await response.json()

    async def raw(self, route: str, image: bytes) -> Answer:
        return await self.post(route, data=image, headers={"Content-Type": "image/jpeg"})


@asynccontextmanager
async def edge_on(broker: Broker, folder: Path, **environ: str) -> AsyncIterator[Caller]:
    """An edge and one worker, with the small pack unless `environ` says another."""
    blobs = str(folder / "blobs")
    settings = EdgeSettings(
        api_key=SecretStr(KEY),
        blob_store_url=blobs,
        model_pack="buffalo_l",
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_embedded=broker.embedded,
        topic_prefix=broker.topic_prefix,
    )
    metrics = EdgeMetrics()
    async with (
        Gateway(settings, metrics) as gateway,
        BlobStore(settings) as store,
        Rig(broker, workers=1, environ={"BLOB_STORE_URL": blobs, **environ}),
    ):
        await asyncio.wait_for(gateway.until_ready(), 30)
        server = TestServer(build_app(settings, gateway, store, metrics))
        await server.start_server(access_log=None)
        async with TestClient(server) as client:
            yield Caller(client)


def forms(image: bytes, url: str) -> dict[str, dict[str, Any]]:
    text = base64.b64encode(image).decode()
    file, field = FormData(), FormData(default_to_multipart=True)
    file.add_field("file", io.BytesIO(image), filename="photo.jpg")
    field.add_field("image_base64", text)
    return {
        "multipart file": {"data": file},
        "multipart field": {"data": field},
        "urlencoded field": {"data": {"image_base64": f"data:image/jpeg;base64,{text}"}},
        "JSON": {"json": {"image_base64": text}},
        "address": {"json": {"image_url": f"{url}photo.jpg"}},
        "raw": {"data": image, "headers": {"Content-Type": "image/jpeg"}},
    }


@pytest.mark.timeout(240)
async def test_photographs_are_answered_as_the_old_api_did(
    broker: Broker, shared: Path, tmp_path: Path
) -> None:
    photos = shared / "faces" / "photos"
    one, same, other, two = (
        (photos / name).read_bytes()
        for name in ("img20.jpg", "img21.jpg", "img16.jpg", "couple.jpg")
    )
    assert len(same) < 64 * 1024 < len(one), "one travels inline, the other by the blob store"
    async with web_server(one) as url, edge_on(broker, tmp_path, IMAGE_SOURCES=url) as caller:
        await _every_form_has_the_same_answer(caller, forms(one, url))
        await _every_route_has_its_golden_shape(caller, one, two)
        await _failures_are_the_golden_ones(caller, one, url)
        await _a_batch_tells_persons_apart(caller, [one, same, other])
        await _health_knows_the_worker(caller)


async def _every_form_has_the_same_answer(caller: Caller, given: dict[str, dict[str, Any]]) -> None:
    answers = {name: await caller.post("extract-embedding", **form) for name, form in given.items()}
    assert {status for status, _ in answers.values()} == {200}
    first = answers["raw"][1]
    assert {name: answer == first for name, (_, answer) in answers.items()} == dict.fromkeys(
        given, True
    )


async def _every_route_has_its_golden_shape(caller: Caller, one: bytes, two: bytes) -> None:
    for route in IMAGE_ROUTES:
        status, answer = await caller.raw(route, one)
        assert status == 200
        assert shape(answer) == shape(golden(route))
        status, answer = await caller.raw(f"{route}?max_faces=0", two)
        assert status == 200
        assert len(answer["faces"]) == 2
        assert answer["faces"][0]["bbox"] == answer["bbox"]
        status, answer = await caller.raw(f"{route}?max_faces=1", two)
        assert "faces" not in answer


async def _failures_are_the_golden_ones(caller: Caller, one: bytes, url: str) -> None:
    nobody = {"data": grey(200), "headers": {"Content-Type": "image/png", "X-Request-ID": "r-1"}}
    for route in IMAGE_ROUTES:
        assert await caller.post(route, **nobody) == (400, golden("error.no-face"))
    for status, code, how in (
        (400, "damaged_image", {"data": one[:5000], "headers": {"Content-Type": "image/jpeg"}}),
        (400, "image_forbidden", {"json": {"image_url": "http://169.254.169.254/latest"}}),
        (400, "image_not_found", {"json": {"image_url": f"{url}none.jpg"}}),
        (422, "unfit_request", {"json": {"image_url": (Path(__file__)).as_uri()}}),
        (415, "not_an_image", {"data": b"%PDF" * 20, "headers": {"Content-Type": "image/png"}}),
    ):
        got, answer = await caller.post("verify-face", **how)
        assert (got, answer["code"]) == (status, code)


async def _a_batch_tells_persons_apart(caller: Caller, photographs: list[bytes]) -> None:
    texts = [base64.b64encode(photograph).decode() for photograph in photographs]
    empty = base64.b64encode(grey(64)).decode()
    body = {"images": [texts[0], empty, "*", *texts[1:]]}
    status, answer = await caller.post("batch-extract", json=body)
    assert (status, answer["total"], answer["successful"], answer["failed"]) == (200, 5, 3, 2)
    results = answer["results"]
    assert [face["index"] for face in results] == [0, 1, 2, 3, 4]
    assert [face.get("code") for face in results] == [None, "no_face", "not_base64", None, None]
    _, single = await caller.raw("extract-embedding", photographs[0])
    assert results[0]["embedding"] == single["embedding"]

    def comparison(a: int, b: int) -> dict[str, Any]:
        return {"embedding_a": results[a]["embedding"], "embedding_b": results[b]["embedding"]}

    similarities = []
    for a, b in ((0, 3), (0, 4)):
        status, compared = await caller.post("compare-faces", json=comparison(a, b))
        assert status == 200
        x, y = np.array(results[a]["embedding"]), np.array(results[b]["embedding"])
        cosine = float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
        assert compared["similarity"] == pytest.approx(cosine, abs=1e-9)
        assert compared["distance"] == pytest.approx(1 - cosine, abs=1e-9)
        similarities.append(cosine)
    assert similarities[0] > similarities[1] + 0.3, "one person twice, and another"


async def _health_knows_the_worker(caller: Caller) -> None:
    async with caller.client.get("/api/v1/health") as response:
        answer = await response.json()
    assert [name for name in answer if name != "uptime_s"] == list(golden("health"))
    assert (answer["status"], answer["model_loaded"], answer["broker"]) == ("healthy", True, "up")
    (worker,) = answer["workers"]
    assert worker["models"]["pack"] == "buffalo_s"
    assert any(topic.endswith("requests") and held for topic, held in worker["partitions"].items())
    async with caller.client.get("/api/v1/ready") as response:
        assert response.status == 200
