"""Credentials and query strings of a URI come back in no result, reply, dead letter or log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.brokers import Broker
from tests.rig import Rig

SECRET = "quote-me-not"
JPEG = b"\xff\xd8\xff"


def _server() -> TestServer:
    """`/status/…` answers it, `/to?…` redirects there, `/broken` is a cut-off image."""

    async def status(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["code"]))

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def broken(_: web.Request) -> web.Response:
        return web.Response(body=JPEG + SECRET.encode())

    app = web.Application()
    app.router.add_get("/status/{code}", status)
    app.router.add_get("/to", redirect)
    app.router.add_get("/broken", broken)
    return TestServer(app, host="127.0.0.1")


def _uris(at: str, folder: Path) -> list[str]:
    return [
        f"{at}/broken?token={SECRET}",
        f"{at}/broken?token={SECRET}#{SECRET}",
        f"{at}/status/404?token={SECRET}",
        f"{at}/status/403?token={SECRET}",
        f"{at}/status/500?token={SECRET}",
        f"{at}/to?to=http://user:{SECRET}@127.0.0.1/",
        f"{at}/to?to=https://elsewhere.test/?{SECRET}",
        f"{at}/to?to=/status/404?{SECRET}",
        f"{at}/to?to=http://[::1?{SECRET}",
        f"{at}/to?to=ftp://user:{SECRET}@host/",
        f"{at.replace('//', f'//user:{SECRET}@')}/broken",
        f"{at.replace('//', f'//{SECRET}@')}/broken",
        f"{at.replace('//', f'//a:{SECRET}@b:{SECRET}@')}/broken",
        f"http://user:{SECRET}@elsewhere.test/a.jpg",
        f"http://user:{SECRET}/x@elsewhere.test/a.jpg",
        f"http://user:{SECRET}?x@elsewhere.test/a.jpg",
        f"https://127.0.0.1:1/a.jpg?X-Amz-Signature={SECRET}",
        f"http://127.0.0.1:1/a.jpg?sig={SECRET}",
        f"s3://AKIA:{SECRET}@bucket/key.jpg",
        f"s3://bucket/key.jpg?versionId={SECRET}",
        f"az://container/key.jpg?sv=1&sig={SECRET}",
        f"ftp://user:{SECRET}@host/a.jpg",
        f"user:{SECRET}@host/a.jpg",
        f"{folder.as_uri()}/missing.jpg?{SECRET}",
        f"file://user:{SECRET}@localhost/a.jpg",
    ]


@pytest.mark.timeout(120)
async def test_what_is_secret_in_a_uri_comes_back_nowhere(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    server = _server()
    async with server:
        at = f"http://127.0.0.1:{server.port}"
        images = [{"uri": uri} for uri in _uris(at, tmp_path)]
        images += [{"uri": f"{at}/a?{SECRET}", "data": "AAAA"}]  # no request: it names two
        requests: list[dict[str, Any]] = [
            {"id": f"{number}", "operation": "detect", "image": image}
            for number, image in enumerate(images)
        ]
        environ = {
            "MODEL_PACK": "synthetic",
            "DET_SIZE": "128",
            "EVENT_TIMEOUT_S": "1",
            "IMAGE_SOURCES": f"{at}/,http://127.0.0.1:1/,https://127.0.0.1:1/,{tmp_path.as_uri()}/",
        }
        log = tmp_path / "log"
        with log.open("wb") as written:
            async with Rig(embedded_broker, workers=1, environ=environ, log=written) as rig:
                outputs = rig.outputs
                await rig.publish(requests)
                await outputs.until(
                    lambda: len(outputs.rejected) == len(requests), 60, "a dead letter of each"
                )
                reply = {"reply_to": rig.topics.replies.encode(), "correlation_id": b"1"}
                await rig.publish(requests, topic=rig.topics.requests, headers=[*reply.items()])
                await outputs.until(
                    lambda: len(outputs.replies) == len(requests), 60, "a reply of each"
                )

    codes = {letter.headers["facestream_error_code"].decode() for letter in outputs.rejected}
    assert codes == {
        "ambiguous_image",
        "damaged_image",
        "image_forbidden",
        "image_not_found",
        "image_unavailable",
    }
    for letter in outputs.rejected:
        # The bytes are the producer's own, as they came; what we say of them is not.
        assert SECRET not in repr(letter.headers)
    records = [*outputs.results, *outputs.replies, *outputs.on(rig.topics.workers)]
    assert len(outputs.results) >= 2 * len(_uris(at, tmp_path))
    for record in records:
        assert SECRET.encode() not in record.value
        assert SECRET not in repr(record.headers)
    assert log.stat().st_size > 0
    assert SECRET not in log.read_text()
