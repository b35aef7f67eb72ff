"""What one would write in an afternoon: `FaceAnalysis.get` in a pool of processes, behind aiohttp.

One `FaceAnalysis` a process, asked for everything: it runs each model of its pack on each face. All
is as the libraries have it, sessions, their threads, detection at 640×640; only the most prominent
face is asked for where it is of the others. With `--frugal` each operation has a `FaceAnalysis` of
the models that it needs, which takes reading InsightFace's source and the memory of three. Started
as a process of its own; its first line on standard output is its port.
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

#: None: all that the pack has
NEEDED = {"detect": ["detection"], "embed": ["detection", "recognition"], "analyze": None}
_DET_SIZE = (640, 640)
_MOST_BYTES = 64 * 1024 * 1024
#: a process of the pool is started for each call that finds none idle
_START_S = 0.5

#: by operation
_analyses: dict[str, Any] = {}


def _load(pack: str, frugal: bool) -> None:
    from insightface.app import FaceAnalysis

    def prepared(modules: list[str] | None) -> Any:
        analysis = FaceAnalysis(name=pack, allowed_modules=modules)
        analysis.prepare(ctx_id=0, det_size=_DET_SIZE)
        return analysis

    if frugal:
        _analyses.update({operation: prepared(needed) for operation, needed in NEEDED.items()})
    else:
        _analyses.update(dict.fromkeys(NEEDED, prepared(None)))


def _faces(data: bytes, operation: str, max_faces: int) -> list[dict[str, Any]] | None:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    return [_told(face, operation) for face in _analyses[operation].get(image, max_num=max_faces)]


def _told(face: Any, operation: str) -> dict[str, Any]:
    told = {"bbox": face.bbox.tolist(), "confidence": float(face.det_score)}
    if operation != "detect":
        told["embedding"] = face.embedding.tolist()
    if operation == "analyze":
        told |= {"age": face.age, "gender": "male" if face.gender == 1 else "female"}
        told["landmarks"] = face.landmark_2d_106.tolist()
    return told


def build_app(pack: str, processes: int, max_faces: int, *, frugal: bool) -> web.Application:
    """`POST /{operation}` takes an image as the raw body."""

    async def pool(app: web.Application) -> AsyncIterator[None]:
        with ProcessPoolExecutor(processes, initializer=_load, initargs=(pack, frugal)) as pool:
            loop = asyncio.get_running_loop()
            starts = [loop.run_in_executor(pool, time.sleep, _START_S) for _ in range(processes)]
            await asyncio.gather(*starts)
            app[_POOL] = pool
            yield

    async def faces(request: web.Request) -> web.Response:
        operation = request.match_info["operation"]
        if operation not in NEEDED:
            raise web.HTTPNotFound
        data = await request.read()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(request.app[_POOL], _faces, data, operation, max_faces)
        if found is None:
            return web.json_response({"code": "not_an_image"}, status=400)
        return web.json_response({"faces": found})

    app = web.Application(client_max_size=_MOST_BYTES)
    app.cleanup_ctx.append(pool)
    app.router.add_post("/{operation}", faces)
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
    parser.add_argument("--processes", required=True, type=int)
    parser.add_argument("--max-faces", required=True, type=int)
    parser.add_argument("--frugal", action="store_true", help="only the models that are needed")
    given = parser.parse_args()
    app = build_app(given.pack, given.processes, given.max_faces, frugal=given.frugal)
    asyncio.run(_serve(app))


if __name__ == "__main__":
    main()
