"""What the README shows of dead letters: its commands as they stand there, on a real broker."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.rig import Rig, by_reference

_README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(120)
async def test_dead_letters_are_listed_shown_and_replayed_when_the_cause_is_gone(
    apache_kafka: ApacheKafka, shared: Path, tmp_path: Path
) -> None:
    section = re.search(
        r"(?ms)^## When something fails\n.*?^```sh\n(.*?)^```$", _README.read_text()
    )
    assert section is not None
    photograph = tmp_path / "photo.jpg"
    environ = {"IMAGE_SOURCES": f"{tmp_path.as_uri()}/", "EMOTION_ENGINE": "off"}
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, workers=1, environ=environ) as rig:
            await rig.publish([by_reference(photograph) | {"id": "photo-7"}])
            await rig.outputs.until(lambda: bool(rig.outputs.rejected), 30, "the dead letter")
            await asyncio.to_thread(
                shutil.copy, shared / "faces" / "photos" / "img1.jpg", photograph
            )
            script = section[1].replace("uv run facestream", "facestream")  # the one that is tested
            printed = await asyncio.to_thread(_run, script, broker)
            await rig.outputs.until(
                lambda: rig.outputs.by_request()["photo-7"].status == "ok", 30, "the embedding"
            )
    assert "1 dead letter: 1 image_not_found" in printed
    assert '"id": "photo-7"' in printed
    assert printed.endswith(f"1 replayed into {broker.topics.images}\n")


def _run(script: str, broker: Broker) -> str:
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script),
        env={**os.environ, **broker.environment, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout
