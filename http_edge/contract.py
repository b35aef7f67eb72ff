"""The routes of the API: one table, from which the app and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel

from schemas.http import (
    AnalysisAnswer,
    BatchAnswer,
    BatchBody,
    CompareAnswer,
    CompareBody,
    EmbeddingAnswer,
    HealthAnswer,
    LiveMissed,
    LiveResult,
    LiveState,
    ReadyAnswer,
    VerifyAnswer,
)

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """`image`: it takes an image in every form. `body`: the JSON that it takes instead. `events`:
    by their names, what it sends until one side ends it, in the place of one answer.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    description: str
    answer: type[BaseModel] | None
    statuses: tuple[int, ...]
    image: bool = False
    body: type[BaseModel] | None = None
    events: Mapping[str, type[BaseModel]] | None = None

    @property
    def keyed(self) -> bool:
        """Whether it wants a key."""
        return self.method == "POST" or self.events is not None


#: of `live`, by the names in its stream
LIVE_EVENTS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"state": LiveState, "missed": LiveMissed, "result": LiveResult}
)

_OF_BODIES = (400, 401, 408, 413, 415, 422, 429, 500, 503)
_OF_IMAGES = (*_OF_BODIES, 504)
_PROMINENT = (
    "The answer speaks of the most prominent face, the large one near the centre. With `max_faces` "
    "other than 1, `faces` holds as many as were asked for; 0 asks for all."
)

ROUTES = (
    Route(
        name="verify-face",
        method="POST",
        path=f"{API}/verify-face",
        summary="Is there a face?",
        description=f"Runs the detector alone. {_PROMINENT}",
        answer=VerifyAnswer,
        statuses=_OF_IMAGES,
        image=True,
    ),
    Route(
        name="extract-embedding",
        method="POST",
        path=f"{API}/extract-embedding",
        summary="A face's embedding",
        description=f"512 numbers that tell persons apart by their cosine. {_PROMINENT}",
        answer=EmbeddingAnswer,
        statuses=_OF_IMAGES,
        image=True,
    ),
    Route(
        name="analyze-face-advanced",
        method="POST",
        path=f"{API}/analyze-face-advanced",
        summary="A face in depth",
        description="The embedding, age, gender, landmarks, pose, quality, symmetry, skin tone, "
        f"expression and geometry. What could not be measured is `null`. {_PROMINENT}",
        answer=AnalysisAnswer,
        statuses=_OF_IMAGES,
        image=True,
    ),
    Route(
        name="compare-faces",
        method="POST",
        path=f"{API}/compare-faces",
        summary="How alike two embeddings are",
        description="Cosine similarity, and one minus it.",
        answer=CompareAnswer,
        statuses=_OF_BODIES,
        body=CompareBody,
    ),
    Route(
        name="batch-extract",
        method="POST",
        path=f"{API}/batch-extract",
        summary="Embeddings of up to 50 images",
        description="Answered in order. An image that cannot be used fails alone; where none could "
        "be computed for want of workers, the whole request does.",
        answer=BatchAnswer,
        statuses=_OF_IMAGES,
        body=BatchBody,
    ),
    Route(
        name="live",
        method="GET",
        path=f"{API}/live",
        summary="Results as they flow by",
        description="Server-sent events until you hang up: whatever the workers publish from now "
        "on, for whomever. Boxes, attributes and times alone. Where results come faster than "
        "people see, or than you take them, the oldest are left out and counted.",
        answer=None,
        statuses=(401, 404, 429, 500, 503),
        events=LIVE_EVENTS,
    ),
    Route(
        name="health",
        method="GET",
        path=f"{API}/health",
        summary="How the service is",
        description="200 also while it is degraded; load balancers ask `ready`.",
        answer=HealthAnswer,
        statuses=(500,),
    ),
    Route(
        name="ready",
        method="GET",
        path=f"{API}/ready",
        summary="Whether a request would be answered",
        description="While a worker is heard that has loaded models and makes progress.",
        answer=ReadyAnswer,
        statuses=(500, 503),
    ),
)
