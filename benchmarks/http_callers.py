"""Callers of an HTTP API: the edge's, or the afternoon's."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from benchmarks.batches import Batch, BenchmarkFailed, Run
from benchmarks.callers import ask_all

_TIMEOUT = aiohttp.ClientTimeout(total=120)


async def call(
    session: aiohttp.ClientSession,
    url: str,
    batch: Batch,
    callers: int,
    headers: Mapping[str, str] | None = None,
) -> Run:
    """POST each image as a raw body; connections are kept open, as a client's are.

    Bodies are read before, answers are understood after the time is taken. Raises
    `BenchmarkFailed` for an answer that is none.
    """
    bodies = {path: path.read_bytes() for path in set(batch.paths)}

    async def ask(path: Path) -> tuple[int, bytes]:
        kind = mimetypes.guess_type(path.name)[0] or "image/jpeg"
        given = {**(headers or {}), "Content-Type": kind}
        async with session.post(url, data=bodies[path], headers=given, timeout=_TIMEOUT) as answer:
            return answer.status, await answer.read()

    answered = await ask_all(batch.paths, callers, ask)
    return Run(
        elapsed_s=answered.elapsed_s,
        faces=tuple(faces_said(status, body) for status, body in answered.answers),
        waits_ms=answered.waits_ms,
    )


def faces_said(status: int, body: bytes) -> int | None:
    """Faces that an answer tells of; None where the image failed. Raises `BenchmarkFailed`."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise BenchmarkFailed(f"an HTTP caller was answered {status}: {body[:200]!r}")
    said: dict[str, Any] = orjson.loads(body)
    if status == HTTPStatus.OK:
        faces = said.get("faces")
        return 1 if faces is None else len(faces)  # without: the answer speaks of the one asked for
    return 0 if said.get("code") == "no_face" else None
