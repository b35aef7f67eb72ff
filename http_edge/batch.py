"""Many images in one request: an event each, spread over the workers, answered in order."""

from __future__ import annotations

import asyncio

from http_edge import render
from http_edge.edge import Edge
from http_edge.errors import FORESEEN, problem_of
from http_edge.images import decode_base64
from http_edge.kafka import NoAnswer
from schemas.http import BatchAnswer, BatchBody, BatchFace, BatchFailure


class Batch:
    """One request's images. Each holds a place of `MAX_IN_FLIGHT` from its decoding to its reply,
    and waits for it; no two of them are decoded at once.
    """

    def __init__(self, edge: Edge, traceparent: bytes | None) -> None:
        self._edge = edge
        self._traceparent = traceparent
        self._ends_at = asyncio.get_running_loop().time() + edge.settings.request_timeout_s
        self._decoding = asyncio.Lock()

    async def answer(self, body: BatchBody) -> BatchAnswer:
        """Raises the first image's error where each failed, and none by its own fault."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._one(index, text)) for index, text in enumerate(body.images)
            ]
        outcomes = [task.result() for task in tasks]
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if len(errors) == len(outcomes) and all(map(_is_ours, errors)):
            raise errors[0]
        return BatchAnswer(
            results=[
                _failure(index, outcome) if isinstance(outcome, Exception) else outcome
                for index, outcome in enumerate(outcomes)
            ],
            total=len(outcomes),
            successful=len(outcomes) - len(errors),
            failed=len(errors),
        )

    async def _one(self, index: int, text: str) -> BatchFace | Exception:
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await self._extract(index, text)
        except TimeoutError:
            return NoAnswer("its turn did not come in time")
        except FORESEEN as error:
            return error

    async def _extract(self, index: int, text: str) -> BatchFace:
        edge = self._edge
        async with edge.batch_images.wait(), edge.in_flight.wait():
            async with self._decoding:
                data = await decode_base64(text.encode(), edge.settings.max_image_bytes)
                image = await edge.claims.check_in(data)
                del data
            result = await edge.gateway.ask(
                "embed",
                image,
                deadline_s=self._ends_at - asyncio.get_running_loop().time(),
                traceparent=self._traceparent,
            )
        return render.batch_face(index, render.faces_of(result, uploaded=True))


def _is_ours(error: Exception) -> bool:
    problem = problem_of(error)
    return problem is not None and problem.status >= 500


def _failure(index: int, error: Exception) -> BatchFailure:
    problem = problem_of(error)
    assert problem is not None
    return BatchFailure(index=index, face_detected=False, error=problem.message, code=problem.code)
