"""What the README shows as code was run: here, as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.brokers import on_embedded
from tests.rig import Rig

_README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(120)
async def test_the_producer_publishes_and_the_consumer_reads_its_embedding(shared: Path) -> None:
    produce, consume = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
    photograph = shared / "faces" / "photos" / "img1.jpg"
    with on_embedded(prefix="face.") as broker:
        environ = {"IMAGE_SOURCES": f"{photograph.parent.as_uri()}/"}
        async with Rig(broker, workers=1, environ=environ) as rig:
            told = {
                **os.environ,
                "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "PHOTO_URI": photograph.as_uri(),
            }
            await asyncio.to_thread(_run, produce, told)
            await rig.outputs.settled(["photo-1"], 30)
            printed = await asyncio.to_thread(_run, consume, told)
    assert re.fullmatch(r"photo-1 \[.*\] 512\n", printed)
    assert rig.outputs.by_request()["photo-1"].metadata == {"album": "summer"}


def _run(code: str, environ: dict[str, str]) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        check=True,
        timeout=30,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ended.stdout
