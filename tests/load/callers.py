"""A caller of the HTTP API, with one request after the other, and how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import numpy as np

from tests.running_up import RunningUp

_TIMEOUT_S = 30.0
#: between an answer and the next request
_PAUSE_S = 0.05


@dataclass(slots=True)
class Waits:
    """Seconds on the clock, and milliseconds of waiting, of each call."""

    at_s: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """ms that so many per cent of the calls waited at most."""
        return float(np.percentile(self.ms, share))


async def call_for(seconds: float, up: RunningUp, images: Sequence[bytes], waits: Waits) -> None:
    """Ask for embeddings. Raises AssertionError when an answer is none."""
    headers = {"Authorization": f"Bearer {up.key}", "Content-Type": "image/jpeg"}
    timeout = aiohttp.ClientTimeout(_TIMEOUT_S)
    ends_at = time.monotonic() + seconds
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        while (began_at := time.monotonic()) < ends_at:
            image = images[len(waits.ms) % len(images)]
            url = f"{up.url}/api/v1/extract-embedding"
            async with session.post(url, data=image) as response:
                answer = await response.json()
            waits.at_s.append(began_at)
            waits.ms.append((time.monotonic() - began_at) * 1000)
            assert response.status == 200, answer
            assert len(answer["embedding"]) == 512
            await asyncio.sleep(_PAUSE_S)
