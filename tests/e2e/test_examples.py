"""The examples, by the commands of their README, on Apache Kafka and the HTTP API."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.conftest import skip_or_fail
from tests.running_up import started_up

_EXAMPLES = Path(__file__).parents[2] / "examples"
_BUILT = shutil.ignore_patterns("node_modules", "dist", "target", "__pycache__")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with the examples, somebody in `photo.jpg` and `other.jpg`, nobody in `nobody.jpg`;
    and the environment in which their commands find the stream."""

    folder: Path
    environ: dict[str, str]
    broker: Broker

    def run(self, script: str) -> str:
        ended = subprocess.run(
            ("bash", "-euo", "pipefail", "-c", script),
            cwd=self.folder,
            env=self.environ,
            timeout=150,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout


@pytest.fixture(scope="module")
def place(apache_kafka: ApacheKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(_EXAMPLES, folder / "examples", ignore=_BUILT)
    somebody = np.ascontiguousarray(data.astronaut()[:128, 160:288, ::-1])
    for name, pixels in (
        ("photo.jpg", somebody),
        ("other.jpg", somebody),
        ("nobody.jpg", np.full((64, 64, 3), 128, np.uint8)),
    ):
        assert cv2.imwrite(str(folder / name), pixels)
    with on_kafka(apache_kafka) as broker:
        workers = {
            "MODEL_PACK": "synthetic",
            "EMOTION_ENGINE": "off",
            "MAX_WORKERS": "1",
            "CONSUMER_GROUP": broker.group,
        }
        with started_up(folder, broker.environment | workers) as up:
            bin_folder = Path(sys.executable).parent
            environ = os.environ | broker.environment
            environ |= {"FACESTREAM_URL": up.url, "API_KEY": up.key}
            environ["PATH"] = f"{bin_folder}:{os.environ['PATH']}"
            yield Place(folder, environ, broker)


def commands(language: str) -> str:
    """The block of the README's section about a language."""
    found = re.search(
        rf"(?ms)^## {language}:.*?^```sh\n(.*?)^```$", (_EXAMPLES / "README.md").read_text()
    )
    assert found is not None
    return found[1]


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        skip_or_fail(f"the example needs {', '.join(missing)}")


@pytest.mark.timeout(120)
def test_python_publishes_photographs_and_reads_their_embeddings(place: Place) -> None:
    told = place.run(commands("Python"))
    assert f"2 published on {place.broker.topics.images}" in told
    for name in ("photo.jpg", "other.jpg"):
        assert re.search(rf"^{name}: 512 numbers, at \[-?\d+, ", told, re.MULTILINE), told


@pytest.mark.timeout(180)
def test_typescript_compares_two_photographs_and_tells_errors_apart_by_their_code(
    place: Place,
) -> None:
    need("node", "npm")
    script = commands("TypeScript")
    told = place.run(script)
    assert "photo.jpg: a face at " in told
    assert told.endswith("similarity 1.000\n")
    again = script.splitlines()[-1].replace("other.jpg", "nobody.jpg")
    assert "nobody.jpg: nobody" in place.run(again)
    refused = place.run(f"API_KEY=wrong {again} 2>&1 || true")
    assert "code: 'unauthorized'" in refused, refused


@pytest.mark.timeout(200)
def test_spring_asks_over_kafka_and_waits_for_the_reply(place: Place) -> None:
    need("java", "javac", "mvn")
    script = commands("Java")
    told = place.run(script)
    assert re.search(r'^\[.*\], "(fe)?male", \d+ years$', told, re.MULTILINE), told
