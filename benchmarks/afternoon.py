"""What one would write in an afternoon: `FaceAnalysis.get` in a pool of processes, behind aiohttp.

Sessions, their threads, detection at 640×640 and all else are as the libraries have them; only the
models that the operation needs are loaded, and only the most prominent face is asked for where the
others are. Started as a process of its own; its first line on standard output is its port.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2
import numpy as np
from aiohttp import web

MODULES = {"detect": ["detection"], "embed": ["detection", "recognition"], "analyze": None}
_DET_SIZE = (640, 640)
_MOST_BYTES = 64 * 1024 * 1024
#: a process of the pool is started for each call that finds none idle
_START_S = 0.5

_analysis: Any = None


def _load(pack: str, operation: str) -> None:
    global _analysis  # noqa: PLW0603 - as one writes it in an afternoon: a process has one
    from insightface.app import FaceAnalysis

    _analysis = FaceAnalysis(name=pack, allowed_modules=MODULES[operation])
    _analysis.prepare(ctx_id=0, det_size=_DET_SIZE)


def _faces(data: bytes, max_faces: int) -> list[dict[str, Any]] | None:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    return [_told(face) for face in _analysis.get(image, max_num=max_faces)]


def _told(face: Any) -> dict[str, Any]:
    told = {"bbox": face.bbox.tolist(), "confidence": float(face.det_score)}
    if face.embedding is not None:
        told["embedding"] = face.embedding.tolist()
    if face.age is not None:
        told |= {"age": face.age, "gender": "male" if face.gender == 1 else "female"}
    if face.landmark_2d_106 is not None:
        told["landmarks"] = face.landmark_2d_106.tolist()
    return told


def build_app(pack: str, operation: str, processes: int, max_faces: int) -> web.Application:
    """`POST /` takes an image as the raw body."""

    async def pool(app: web.Application) -> AsyncIterator[None]:
        with ProcessPoolExecutor(processes, initializer=_load, initargs=(pack, operation)) as pool:
            loop = asyncio.get_running_loop()
            starts = [loop.run_in_executor(pool, time.sleep, _START_S) for _ in range(processes)]
            await asyncio.gather(*starts)
            app[_POOL] = pool
            yield

    async def faces(request: web.Request) -> web.Response:
        data = await request.read()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(request.app[_POOL], _faces, data, max_faces)
        if found is None:
            return web.json_response({"code": "not_an_image"}, status=400)
        return web.json_response({"faces": found})

    app = web.Application(client_max_size=_MOST_BYTES)
    app.cleanup_ctx.append(pool)
    app.router.add_post("/", faces)
    return app


_POOL = web.AppKey("pool", ProcessPoolExecutor)


async def _serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201 - whoever started it reads the port
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", required=True, help="the folder of the models")
    parser.add_argument("--operation", required=True, choices=MODULES)
    parser.add_argument("--processes", required=True, type=int)
    parser.add_argument("--max-faces", required=True, type=int)
    given = parser.parse_args()
    app = build_app(given.pack, given.operation, given.processes, given.max_faces)
    asyncio.run(_serve(app))


if __name__ == "__main__":
    main()
