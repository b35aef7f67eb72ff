"""Every route in every form: the answer is the golden JSON, byte for byte of its values."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import orjson
import pytest
from aiohttp import FormData

from schemas.results import Result
from schemas.topics import Operation
from tests.edge_fake import PNG, Asked, FakeEdge, failed, fake_edge, status_of_worker

GOLDEN = Path(__file__).parent / "golden"
URL = "https://images.example.com/a.png?signature=a%2Bb"
ROUTES: dict[str, Operation] = {
    "verify-face": "detect",
    "extract-embedding": "embed",
    "analyze-face-advanced": "analyze",
}


def golden(name: str) -> Any:
    return orjson.loads((GOLDEN / "http" / f"{name}.json").read_bytes())


def result(name: str) -> Result:
    return Result.model_validate_json((GOLDEN / f"{name}.json").read_bytes())


def two_faces() -> Result:
    one = result("result_analysis")
    second = one.faces[0].model_copy(update={"confidence": 0.5, "analysis": None})
    return one.model_copy(update={"faces": [one.faces[0], second]})


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    async with fake_edge(tmp_path, result("result_analysis")) as edge:
        yield edge


def multipart(name: str, value: bytes | str, **how: Any) -> dict[str, Any]:
    form = FormData(default_to_multipart=True)
    form.add_field("comment", "passed over")
    form.add_field(name, value, **how)
    return {"data": form}


def urlencoded(text: str) -> dict[str, Any]:
    return {
        "data": f"comment=x&image_base64={text}",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    }


TEXT = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{TEXT}"
WRAPPED = "\r\n".join(re.findall(".{1,40}", TEXT))

FORMS: dict[str, Callable[[], dict[str, Any]]] = {
    "multipart file": lambda: multipart("file", PNG, filename="a.png", content_type="image/png"),
    "multipart file without a name": lambda: {
        "data": b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n%b\r\n--b--' % PNG,
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    },
    "multipart base64": lambda: multipart("image_base64", TEXT),
    "multipart data URL": lambda: multipart("image_base64", DATA_URL),
    "urlencoded base64": lambda: urlencoded(quote_plus(TEXT)),
    "urlencoded data URL": lambda: urlencoded(quote_plus(DATA_URL)),
    "urlencoded, its plus signs forgotten": lambda: urlencoded(TEXT),
    "JSON base64": lambda: {"json": {"image_base64": TEXT}},
    "JSON data URL": lambda: {"json": {"image_base64": DATA_URL, "image_url": None}},
    "JSON base64 in lines": lambda: {"json": {"image_base64": WRAPPED}},
    "JSON base64 without padding": lambda: {"json": {"image_base64": TEXT.rstrip("=")}},
    "raw": lambda: {"data": PNG, "headers": {"Content-Type": "image/png"}},
    "raw, of another type than it says": lambda: {
        "data": PNG,
        "headers": {"Content-Type": "image/x-unheard-of; q=1"},
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("route", ROUTES)
async def test_an_image_is_answered_in_every_form(edge: FakeEdge, route: str, form: str) -> None:
    status, answer, _ = await edge.post(route, **FORMS[form]())
    assert (status, answer) == (200, golden(route))
    assert list(answer) == list(golden(route)), "fields come in the documented order"
    (asked,) = edge.gateway.asked
    assert (asked.operation, asked.max_faces) == (ROUTES[route], 1)
    assert asked.image.decode_data() == PNG


@pytest.mark.parametrize("route", ROUTES)
async def test_an_address_is_passed_on_as_it_came(edge: FakeEdge, route: str) -> None:
    status, answer, _ = await edge.post(route, json={"image_url": URL})
    assert (status, answer) == (200, golden(route))
    assert edge.gateway.asked[0].image.uri == URL


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("max_faces", [0, 7])
async def test_all_faces_are_there_when_asked_for(
    edge: FakeEdge, route: str, max_faces: int
) -> None:
    edge.gateway.result = two_faces()
    how = {"data": PNG, "headers": {"Content-Type": "image/png"}}
    status, answer, _ = await edge.post(f"{route}?max_faces={max_faces}", **how)
    assert (status, answer) == (200, golden(f"{route}.all"))
    assert edge.gateway.asked[0].max_faces == max_faces


async def test_what_was_not_measured_is_null(edge: FakeEdge) -> None:
    edge.gateway.result = result("result_analysis_of_less")
    _, answer, _ = await edge.post("analyze-face-advanced", json={"image_base64": TEXT})
    assert answer == golden("analyze-face-advanced.of-less")


async def test_large_images_go_by_the_blob_store(tmp_path: Path) -> None:
    async with fake_edge(tmp_path, result("result_analysis"), inline_limit_bytes=64) as edge:
        await edge.post("verify-face", json={"image_base64": TEXT})
        image = edge.gateway.asked[0].image
        assert image.data is None
        assert image.uri is not None
        assert image.uri.endswith(".png")
        assert await edge.blobs.get(image.uri, 1000) == PNG


def embeddings() -> dict[str, Any]:
    document: dict[str, Any] = golden("compare-faces.request")
    return document


async def test_embeddings_are_compared_by_cosine(edge: FakeEdge) -> None:
    status, answer, _ = await edge.post("compare-faces", json=embeddings())
    assert (status, answer) == (200, golden("compare-faces"))
    assert edge.gateway.asked == [], "the edge computes it alone"


@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        ([3.0] * 512, [5.0] * 512, 1),
        ([3.0] * 512, [-0.25] * 512, -1),
        ([1, 0] * 256, [0, 1] * 256, 0),
        ([1e308] * 512, [1e308] * 512, 1),
        ([5e-324] * 512, [5e-324] * 512, 1),
        ([0] * 511 + [1], [0] * 511 + [1], 1),
    ],
)
async def test_similarity_stays_in_its_range(
    edge: FakeEdge, a: list[float], b: list[float], similarity: float
) -> None:
    body = {"embedding_a": a, "embedding_b": b}
    status, answer, _ = await edge.post("compare-faces", json=body)
    assert status == 200
    assert answer["similarity"] == pytest.approx(similarity, abs=1e-12)
    assert answer["similarity"] <= 1
    assert answer["distance"] == 1 - answer["similarity"]


async def test_a_batch_is_answered_in_order_and_a_bad_image_fails_alone(edge: FakeEdge) -> None:
    found, nobody = result("result_ok"), result("result_no_face")

    async def answer(asked: Asked) -> Result:
        place = asked.image.decode_data().removeprefix(PNG)
        return {b"0": found, b"1": nobody, b"4": failed("damaged_image"), b"5": found}[place]

    edge.gateway.answer = answer
    first, second, fifth, sixth = (base64.b64encode(PNG + b"%d" % n).decode() for n in (0, 1, 4, 5))
    images = [first, f"data:image/png;base64,{second}", "no base64!", "Zm9v", fifth, sixth]
    status, body, _ = await edge.post("batch-extract", json={"images": images})
    assert (status, body) == (200, golden("batch-extract"))
    assert {asked.operation for asked in edge.gateway.asked} == {"embed"}
    assert {asked.max_faces for asked in edge.gateway.asked} == {1}


async def test_a_batch_of_fifty_is_an_event_each(edge: FakeEdge) -> None:
    images = [base64.b64encode(PNG + bytes([number])).decode() for number in range(50)]
    status, body, _ = await edge.post("batch-extract", json={"images": images})
    assert (status, body["total"], body["successful"], body["failed"]) == (200, 50, 50, 0)
    assert [face["index"] for face in body["results"]] == list(range(50))
    last = sorted(asked.image.decode_data()[-1] for asked in edge.gateway.asked)
    assert last == list(range(50))


async def test_health_is_as_the_old_one_was_and_more(edge: FakeEdge) -> None:
    status, answer, _ = await edge.get("/api/v1/health")
    assert answer.pop("uptime_s") >= 0
    assert (status, answer) == (200, golden("health"))


async def test_health_without_a_worker_is_degraded_and_still_200(edge: FakeEdge) -> None:
    starting = status_of_worker(state="starting", models=None, partitions={})
    edge.gateway.heard = [type(edge.gateway.heard[0])(starting, 1.5, able=False)]
    edge.gateway.is_ready = False
    status, answer, _ = await edge.get("/api/v1/health")
    assert answer.pop("uptime_s") >= 0
    assert (status, answer) == (200, golden("health.degraded"))


async def test_ready_is_200_or_503(edge: FakeEdge) -> None:
    assert (await edge.get("/api/v1/ready"))[:2] == (200, golden("ready"))
    edge.gateway.is_ready = False
    status, answer, headers = await edge.get("/api/v1/ready")
    assert (status, answer["code"]) == (503, "no_worker")
    assert int(headers["Retry-After"]) > 0


async def test_an_answer_is_compact_json(edge: FakeEdge) -> None:
    async with edge.client.get("/api/v1/ready") as response:
        assert response.content_type == "application/json"
        assert await response.read() == json.dumps({"ready": True}, separators=(",", ":")).encode()
