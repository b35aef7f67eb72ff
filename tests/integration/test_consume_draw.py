"""`consume --draw`: a picture for each result whose photograph is still what was computed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from click.testing import Result as Outcome
from confluent_kafka import Producer

from cli.drawing import LEAST_LONG_SIDE
from cli.main import cli
from schemas import wire
from schemas.results import ErrorInfo, ImageInfo, Result
from tests.brokers import Broker

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
ANALYSED = Result.model_validate_json((GOLDEN / "result_analysis.json").read_bytes())


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three of them, two of the same name; each grey, and of another grey than the others."""
    for number, name in enumerate(("Ann/1.png", "Bob/1.png", "Zoë 2.png")):
        path = tmp_path / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = np.full((300, 400, 3), 100 + number, np.uint8)
        path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    return tmp_path / "photographs"


@pytest.fixture(autouse=True)
def _environment(
    embedded_broker: Broker, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = embedded_broker.environment | {
        "BLOB_STORE_URL": str(tmp_path / "blobs"),
        "IMAGE_SOURCES": f"{photographs.as_uri()}/",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    for name, value in changes.items():
        monkeypatch.setenv(name, value)


def publish(broker: Broker, *results: Result) -> None:
    producer = Producer(broker.kafka_settings.librdkafka())
    for result in results:
        producer.produce(broker.topics.analyses, wire.dumps(result), partition=0)
    producer.flush()


def result(path: Path, *, inline: bool = False, **changes: Any) -> Result:
    """Of a photograph by its address, or of one that travelled in its event."""
    image = ImageInfo(
        uri=None if inline else path.as_uri(),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        width=400,
        height=300,
    )
    identity = os.urandom(8).hex()
    return ANALYSED.model_copy(
        update={"id": identity, "request_id": identity, "image": image, "metadata": {}} | changes
    )


def drawn(folder: Path, *arguments: str | Path) -> Outcome:
    options = ("--from-beginning", "--timeout", "0.6", "--draw", folder, *arguments)
    return CliRunner().invoke(cli, ["consume", "analyses", *map(str, options)])


def test_a_photograph_is_read_where_it_lies_and_drawn_on(
    embedded_broker: Broker, photographs: Path, tmp_path: Path
) -> None:
    photograph = photographs / "Ann/1.png"
    publish(embedded_broker, result(photograph, metadata={"file": "Ann/1.png"}))
    done = drawn(tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"1 of 1 results drawn in {tmp_path / 'out'}/\n"
    picture = cv2.imread(str(tmp_path / "out" / "Ann-1.jpg"))
    assert picture is not None
    assert picture.shape[1] == LEAST_LONG_SIDE
    assert np.ptp(picture) > 100, "there is more than grey"


def test_what_travelled_in_its_event_is_found_by_its_name_and_no_two_share_a_picture(
    embedded_broker: Broker, photographs: Path, tmp_path: Path
) -> None:
    names = ("Ann/1.png", "Bob/1.png", "Zoë 2.png")
    publish(
        embedded_broker,
        *(result(photographs / n, inline=True, metadata={"file": n}) for n in names),
        result(photographs / "Bob/1.png", metadata={}),
        result(photographs / "Ann/1.png", metadata={}),
    )
    without = drawn(tmp_path / "without")
    assert (
        without.stderr.count("it travelled in its event, and lies in no folder that is named") == 3
    )
    assert without.stdout.startswith("2 of 5 results drawn")
    done = drawn(tmp_path / "out", "--photographs", photographs)
    assert done.stdout.startswith("5 of 5 results drawn")
    assert len(list((tmp_path / "out").iterdir())) == 5
    assert {"Ann-1.jpg", "Bob-1.jpg", "Zoë-2.jpg"} < {p.name for p in (tmp_path / "out").iterdir()}


def test_what_cannot_be_drawn_is_said_and_the_rest_is_drawn(
    embedded_broker: Broker, photographs: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes((photographs / "Ann/1.png").read_bytes())
    gone = result(photographs / "Ann/1.png", metadata={"file": "gone\x1b.png"})
    publish(
        embedded_broker,
        result(outside),
        result(photographs / "Ann/1.png", inline=True, metadata={"file": "../secret.png"}),
        gone.model_copy(
            update={"image": gone.image.model_copy(update={"sha256": "0" * 64}), "request_id": "2"}
        ),
        result(
            photographs / "Ann/1.png",
            status="failed",
            faces=[],
            error=ErrorInfo(code="damaged_image", message="it is cut off"),
        ),
        result(photographs / "Bob/1.png", status="no_face", faces=[]),
    )
    done = drawn(tmp_path / "out", "--photographs", photographs)
    assert done.exit_code == 0, done.output
    assert "secret.png is not drawn: " in done.stderr
    assert "../secret.png is not allowed" in done.stderr
    assert "gone\\x1b.png is not drawn: " in done.stderr
    assert "is not drawn: damaged_image" in done.stderr
    assert done.stdout.startswith("1 of 5 results drawn")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_another_photograph_at_the_same_place_is_not_drawn_on(
    embedded_broker: Broker, photographs: Path, tmp_path: Path
) -> None:
    published = result(photographs / "Ann/1.png")
    (photographs / "Ann/1.png").write_bytes((photographs / "Bob/1.png").read_bytes())
    publish(embedded_broker, published)
    done = drawn(tmp_path / "out")
    assert "it is another by now than the one that was computed" in done.stderr
    assert done.stdout.startswith("0 of 1 results drawn")


@pytest.mark.parametrize(
    "arguments",
    [
        ["rejected", "--draw", "out"],
        ["--draw", "out", "--json"],
        ["--photographs", "."],
    ],
)
def test_options_that_do_not_fit_are_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["consume", *arguments]).exit_code == 2
