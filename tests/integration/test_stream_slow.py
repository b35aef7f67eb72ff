"""Slow downloads, more of them than there are places, delay nobody but each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.brokers import Broker
from tests.rig import Rig, by_reference

_SLOW = 60
_FETCH_TIMEOUT_S = 60
_PLACES = {
    "FETCH_PLACES": "8",
    "FETCH_PLACES_PER_ORIGIN": "4",
    "FETCH_TIMEOUT_S": str(_FETCH_TIMEOUT_S),
}


@asynccontextmanager
async def _dribbling_server(data: bytes) -> AsyncIterator[str]:
    """Serves an image, a byte a second."""

    async def dribble(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        response.content_length = len(data)
        await response.prepare(request)
        for byte in data:
            await response.write(bytes([byte]))
            await asyncio.sleep(1)
        return response

    app = web.Application()
    app.router.add_get("/{name}", dribble)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.timeout(180)
async def test_more_slow_downloads_than_places_delay_only_their_like(
    broker: Broker, shared: Path
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:160]
    async with _dribbling_server(photographs[0].read_bytes()) as slow:
        sources = f"{lfw.as_uri()}/,{slow}/"
        async with Rig(broker, environ={**_PLACES, "IMAGE_SOURCES": sources}) as rig:
            # Each partition has its slow ones first: whoever waited for them would show it.
            await rig.publish(
                [
                    {"id": f"slow-{n}", "operation": "embed", "image": {"uri": f"{slow}/{n}.jpg"}}
                    for n in range(_SLOW)
                ]
            )
            published_at = time.monotonic()
            await rig.publish([by_reference(path) for path in photographs])
            results = await rig.outputs.settled((path.name for path in photographs), 60)
            good_ones_took_s = time.monotonic() - published_at
            slow_ones_settled = [name for name in rig.outputs.by_request() if "slow" in name]

    assert all(results[path.name].status == "ok" for path in photographs)
    assert slow_ones_settled == [], "a slow one was done before the good ones: no test of anything"
    assert good_ones_took_s < _FETCH_TIMEOUT_S, (
        "the good ones waited until the slow ones had timed out"
    )


@pytest.mark.timeout(180)
async def test_a_slow_download_settles_as_failed_with_its_reason(
    embedded_broker: Broker, shared: Path
) -> None:
    photograph = next((shared / "faces" / "lfw").rglob("*.jpg"))
    async with _dribbling_server(photograph.read_bytes()) as slow:
        environ = {"IMAGE_SOURCES": f"{slow}/", "FETCH_TIMEOUT_S": "1", "MAX_FETCH_TIMEOUTS": "2"}
        async with Rig(embedded_broker, workers=1, environ=environ) as rig:
            request = {"id": "slow", "operation": "detect", "image": {"uri": f"{slow}/a.jpg?key=1"}}
            await rig.publish([request])
            results = await rig.outputs.settled(["slow"], 30)
            await rig.outputs.until(lambda: bool(rig.outputs.rejected), 10, "the dead letter")

    result = results["slow"]
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "fetch_timeout"
    assert result.image.uri == f"{slow}/a.jpg"
    assert "key=1" not in result.model_dump_json()
