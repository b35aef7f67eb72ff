"""What each route of the API does: a body in, the stream asked, an answer rendered."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from types import MappingProxyType

from aiohttp import web
from pydantic import BaseModel

from http_edge import live_stream, render
from http_edge.batch import Batch
from http_edge.edge import EDGE, Edge
from http_edge.errors import Overloaded, UnfitBody
from http_edge.kafka import NoWorker
from http_edge.logs import traceparent_of
from http_edge.similarity import cosine
from schemas import wire
from schemas.http import (
    BatchBody,
    CompareAnswer,
    CompareBody,
    HealthAnswer,
    HealthWorker,
    ReadyAnswer,
)
from schemas.requests import ImageRef
from schemas.results import Face
from schemas.topics import Operation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: two embeddings are 25 KB
_COMPARE_BYTES = 4 * 1024 * 1024
_MAX_FACES = re.compile(r"[0-9]{1,9}")


async def verify_face(request: web.Request) -> web.Response:
    faces, all_faces = await _ask(request, "detect")
    return answered(render.verification(faces, all_faces=all_faces))


async def extract_embedding(request: web.Request) -> web.Response:
    faces, all_faces = await _ask(request, "embed")
    return answered(render.embedding(faces, all_faces=all_faces))


async def analyze_face_advanced(request: web.Request) -> web.Response:
    faces, all_faces = await _ask(request, "analyze")
    return answered(render.analysis(faces, all_faces=all_faces))


async def compare_faces(request: web.Request) -> web.Response:
    edge = request.app[EDGE]
    with edge.memory.share() as share:
        body = await edge.uploads.json(request, CompareBody, share, _COMPARE_BYTES)
    similarity = cosine(body.embedding_a, body.embedding_b)
    return answered(CompareAnswer(similarity=similarity, distance=1.0 - similarity))


async def batch_extract(request: web.Request) -> web.Response:
    edge = request.app[EDGE]
    with edge.memory.share() as share:
        body = await edge.uploads.json(request, BatchBody, share, edge.settings.max_body_bytes)
        _require_worker(edge)
        if not edge.in_flight.free:
            raise Overloaded("Too many images at once")
        return answered(await Batch(edge, _traceparent(request)).answer(body))


async def health(request: web.Request) -> web.Response:
    edge = request.app[EDGE]
    workers = edge.gateway.workers
    able = any(worker.able for worker in workers)
    return answered(
        HealthAnswer(
            status="healthy" if able else "degraded",
            model="insightface",
            model_loaded=able,
            version=version("facestream"),
            model_pack=edge.settings.model_pack,
            workers=[
                HealthWorker(
                    id=worker.status.id,
                    state=worker.status.state,
                    partitions=worker.status.partitions,
                    models=worker.status.models,
                    last_heard_s=round(worker.age_s, 3),
                )
                for worker in workers
            ],
            broker="up" if edge.gateway.broker_up else "down",
            uptime_s=round(time.monotonic() - edge.since, 3),
        )
    )


async def ready(request: web.Request) -> web.Response:
    if not request.app[EDGE].gateway.ready:
        raise NoWorker
    return answered(ReadyAnswer(ready=True))


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "verify-face": verify_face,
        "extract-embedding": extract_embedding,
        "analyze-face-advanced": analyze_face_advanced,
        "compare-faces": compare_faces,
        "batch-extract": batch_extract,
        "live": live_stream.live,
        "health": health,
        "ready": ready,
    }
)


def answered(answer: BaseModel, status: int = 200) -> web.Response:
    """A model as a JSON response."""
    return web.Response(status=status, body=wire.dumps(answer), content_type="application/json")


async def _ask(request: web.Request, operation: Operation) -> tuple[list[Face], bool]:
    """The faces of the request's image, and whether all that were found were asked for."""
    edge = request.app[EDGE]
    max_faces = _max_faces(request)
    with edge.memory.share() as share:
        image = await edge.uploads.image(request, share)
        _require_worker(edge)
        async with edge.in_flight.take("images"):
            uploaded = isinstance(image, bytes)
            reference = image if isinstance(image, ImageRef) else await edge.claims.check_in(image)
            del image
            share.give_back()
            result = await edge.gateway.ask(
                operation, reference, max_faces=max_faces, traceparent=_traceparent(request)
            )
    return render.faces_of(result, uploaded=uploaded), max_faces != 1


def _require_worker(edge: Edge) -> None:
    """Before anything is stored for nobody."""
    if not edge.gateway.any_able:
        raise NoWorker


def _max_faces(request: web.Request) -> int:
    given = request.query.getall("max_faces", ["1"])
    if len(given) != 1 or not _MAX_FACES.fullmatch(given[0]):
        raise UnfitBody("max_faces: a whole number is wanted; 0 asks for all faces")
    return int(given[0])


def _traceparent(request: web.Request) -> bytes | None:
    return traceparent_of(request.headers.get(wire.TRACEPARENT))
