"""What an edge's handlers have in common: one object, made once, under one key of the app."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from http_edge.auth import Keys
from http_edge.images import Claims
from http_edge.kafka import Gateway
from http_edge.limits import BodyMemory, Places, RateLimit
from http_edge.live import Live
from http_edge.metrics import EdgeMetrics
from http_edge.settings import EdgeSettings
from http_edge.uploads import Uploads
from stream.io.blobs import BlobStore

#: bodies that are held at once, in units of the largest
_BODIES_HELD = 4
#: a batch never takes the places that single images need
_BATCH_PART = 2


@dataclass(frozen=True, slots=True)
class Edge:
    """The parts of a running edge."""

    settings: EdgeSettings
    gateway: Gateway
    metrics: EdgeMetrics
    keys: Keys
    claims: Claims
    uploads: Uploads
    in_flight: Places
    batch_images: Places
    memory: BodyMemory
    rate_limit: RateLimit
    live: Live
    since: float = field(default_factory=time.monotonic)

    @classmethod
    def build(
        cls, settings: EdgeSettings, gateway: Gateway, blobs: BlobStore, metrics: EdgeMetrics
    ) -> Edge:
        return cls(
            settings=settings,
            gateway=gateway,
            metrics=metrics,
            keys=Keys(settings.keys),
            claims=Claims(settings, blobs),
            uploads=Uploads(settings, metrics),
            in_flight=Places(settings.max_in_flight, metrics.in_flight),
            batch_images=Places(max(1, settings.max_in_flight // _BATCH_PART)),
            memory=BodyMemory(
                _BODIES_HELD * max(settings.max_body_bytes, settings.max_image_bytes)
            ),
            rate_limit=RateLimit(settings.rate_limit_per_minute),
            live=Live(settings, metrics.live_listeners),
        )


EDGE: Final = web.AppKey("edge", Edge)
