"""An HTTP caller gives an image or an address on the web: no file, no bucket, by no way round."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.errors import ImageForbidden
from tests.dns_server import Zone
from tests.edge_fake import PNG, FakeEdge, failed, fake_edge
from tests.security.canary import fetching, refusal

ROUTES = ("verify-face", "extract-embedding", "analyze-face-advanced")
#: the blob store of the fetcher of these tests
UNUSED_STORE = Path("unused").resolve().as_uri()
ADDRESSES = (
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file://localhost/etc/passwd",
    "file:/etc/passwd",
    "/etc/passwd",
    "../etc/passwd",
    "s3://bucket/key.jpg",
    "S3://bucket/key.jpg",
    "gs://bucket/key.jpg",
    "az://container/key.jpg",
    "abfs://container/key.jpg",
    "data:image/png;base64," + base64.b64encode(PNG).decode(),
    "ftp://host/a.jpg",
    "gopher://host/",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http:file:///etc/passwd",
    "http:///etc/passwd",
    "http://user:quote-me-not@host/a.jpg",
    " file:///etc/passwd",
    "file:///etc/passwd#http://host/",
    "h\u0000ttp://host/",
    "http://host\\@other/",
    "http://]",
    "http://" + "h" * 9000,
    "http://host/" + "%25" * 100_000,
    "",
)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[FakeEdge]:
    async with fake_edge(tmp_path, failed("image_not_found", "no")) as running:
        yield running


@pytest.mark.parametrize("route", ROUTES)
async def test_an_address_that_is_not_on_the_web_is_not_passed_on(
    edge: FakeEdge, route: str
) -> None:
    for address in ADDRESSES:
        status, answer, _ = await edge.post(route, json={"image_url": address})
        assert (status, answer["face_detected"]) in ((400, False), (422, False)), address
        assert answer["code"] in ("image_forbidden", "unfit_request"), address
        assert "quote-me-not" not in answer["error"]
    assert edge.gateway.asked == []


async def test_a_stored_image_is_not_to_be_had_by_its_address(
    edge: FakeEdge, tmp_path: Path
) -> None:
    """The one kind of address that workers read without being allowed to."""
    uri = await edge.blobs.put(PNG, lane="requests", suffix=".png")
    assert edge.blobs.owns(uri)
    status, answer, _ = await edge.post("verify-face", json={"image_url": uri})
    assert (status, answer["code"]) == (422, "unfit_request")
    assert edge.gateway.asked == []


@pytest.mark.parametrize(
    "how",
    [
        {"json": {"image_base64": "file:///etc/passwd"}},
        {"data": {"image_base64": "file:///etc/passwd"}},
        {"data": {"image_url": "file:///etc/passwd"}},
        {"json": {"image": {"uri": "file:///etc/passwd"}}},
        {"json": {"uri": "file:///etc/passwd"}},
        {"json": {"image_url": {"uri": "file:///etc/passwd"}}},
        {"json": {"image_url": ["file:///etc/passwd"]}},
        {"data": b"file:///etc/passwd", "headers": {"Content-Type": "image/jpeg"}},
    ],
)
async def test_an_address_elsewhere_in_a_request_is_none(
    edge: FakeEdge, how: dict[str, Any]
) -> None:
    status, _, _ = await edge.post("verify-face", **how)
    assert 400 <= status < 500
    assert edge.gateway.asked == []


async def test_no_batch_reaches_a_file(edge: FakeEdge) -> None:
    status, answer, _ = await edge.post("batch-extract", json={"images": list(ADDRESSES[:10])})
    assert status in (200, 422)
    assert not any(result["face_detected"] for result in answer.get("results", []))
    assert edge.gateway.asked == []


@pytest.mark.parametrize("scheme", ["file", "blob", "s3", "gs", "az", "data"])
async def test_a_redirect_leads_to_no_file_and_no_bucket_that_workers_may_read(
    tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    addresses = {
        "file": (tmp_path / "a.jpg").as_uri(),
        "blob": f"{UNUSED_STORE}/requests/{'0' * 32}",
        "data": "data:image/png;base64," + base64.b64encode(PNG).decode(),
    }
    to = addresses.get(scheme, f"{scheme}://bucket/a.jpg")

    async def hop(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": to})

    app = web.Application()
    app.router.add_get("/a", hop)
    server = TestServer(app, host="127.0.0.1")
    zone: Zone = {"start.test": [["127.0.0.1"]]}
    async with server:
        at = f"http://start.test:{server.port}/"
        allowed = f"{at},{tmp_path.as_uri()}/,s3://bucket/,gs://bucket/,az://bucket/"
        async with fetching(allowed, zone) as reader:
            refused = await refusal(reader, f"{at}a")
    assert isinstance(refused, ImageForbidden)
