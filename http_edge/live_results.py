"""What of a result everybody with a key may see: boxes, attributes and times.

No embedding and no landmark, for they tell who it is; no address, id, metadata or message, for they
tell whose it is. Every text that is left is one of a closed list.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import get_args

from pydantic import ValidationError

from schemas import errors
from schemas.errors import FacestreamError
from schemas.http import LIVE_FACES, LiveFace, LiveResult, Stage
from schemas.results import Analysis, Face, Result

_STAGES = get_args(Stage)
_NOT_MEASURED = dict.fromkeys(Analysis.model_fields)


class LiveView:
    """Turns results into what is shown of them. Ids are new ones, by a secret of this object."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)

    def of(self, value: bytes | None, at_ms: int) -> LiveResult | None:
        """at_ms: epoch milliseconds. `None` for what is no result: anybody may write to a topic."""
        try:
            result = Result.model_validate_json(value or b"")
        except ValidationError:
            return None
        code = None if result.error is None else result.error.code
        return LiveResult(
            id=blake2b(result.id.encode(), digest_size=4, key=self._secret).hexdigest(),
            at_ms=at_ms,
            operation=result.operation,
            status=result.status,
            error_code=code if code is None or code in _CODES else FacestreamError.code,
            width=result.image.width,
            height=result.image.height,
            faces_found=len(result.faces),
            faces=[_face(face) for face in result.faces[:LIVE_FACES]],
            timings_ms={
                stage: result.timings_ms[stage] for stage in _STAGES if stage in result.timings_ms
            },
        )


def _face(face: Face) -> LiveFace:
    attributes = dict(face.analysis) if face.analysis is not None else _NOT_MEASURED
    return LiveFace(
        bbox=face.bbox,
        confidence=face.confidence,
        **{name: attributes[name] for name in attributes.keys() & LiveFace.model_fields.keys()},
    )


def _codes(kind: type[FacestreamError]) -> set[str]:
    below = [_codes(child) for child in kind.__subclasses__()]
    return {kind.code}.union(*below) if kind.__module__ == errors.__name__ else set()


_CODES = frozenset(_codes(FacestreamError))
