"""An image that kills its process is dead-lettered after `MAX_ATTEMPTS`; its neighbours are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.snapshot import Snapshot
from schemas.crashes import CrashReport
from schemas.results import Result
from stream.event import Position
from tests.apache_kafka import ApacheKafka
from tests.brokers import Broker, on_kafka
from tests.faults.outcome import FaultOutcome
from tests.rig import Outputs, Rig, by_reference

#: read by Python at the start of every worker: decoding this one image is a segmentation fault
_CRASHING_DECODER = """
import signal, sys
if "stream.worker" in " ".join(sys.orig_argv):
    import stream.fetching as fetching
    sound = fetching.open_photograph
    def decode(data, *sizes):
        if b"poison" in data[-16:]:
            signal.raise_signal(signal.SIGSEGV)  # in this thread, as a real one is
        return sound(data, *sizes)
    fetching.open_photograph = decode
"""
_MAX_ATTEMPTS = 3
#: results that were published, and not yet acked when the process died, each time
_MOST_DUPLICATES = 16
_POISONED = 20


class Poisoned:
    """Photographs with one among them that kills whoever decodes it."""

    def __init__(self, folder: Path, shared: Path) -> None:
        (folder / "sitecustomize.py").write_text(_CRASHING_DECODER)
        lfw = shared / "faces" / "lfw"
        photographs = sorted(lfw.rglob("*.jpg"))[:200]
        poison = folder / "poison.jpg"
        poison.write_bytes(photographs[0].read_bytes() + b"poison")
        self.requests = [by_reference(path) for path in photographs]
        self.requests.insert(_POISONED, by_reference(poison))
        self.environ = {
            "IMAGE_SOURCES": f"{lfw.as_uri()}/,{folder.as_uri()}/",
            "PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}",
            "MAX_ATTEMPTS": str(_MAX_ATTEMPTS),
            "EMOTION_ENGINE": "off",
            "DET_SIZE": "320",
            "DET_SIZE_MODE": "fixed",
        }

    @property
    def ids(self) -> list[Any]:
        return [request["id"] for request in self.requests]

    def position(self, broker: Broker) -> Position:
        """Where it stands, with neighbours before and behind it."""
        turn = broker.partitions
        return Position(broker.topics.images, _POISONED % turn, _POISONED // turn)

    def assert_settled(self, outputs: Outputs, results: dict[str, Result]) -> None:
        """The one is dead-lettered with its reason, and none beside it failed."""
        failed = {name: result.error for name, result in results.items() if result.error}
        assert list(failed) == ["poison.jpg"]
        error = failed["poison.jpg"]
        assert error is not None
        assert error.code == "crashed_worker"
        reasons = [letter.headers["facestream_error_code"] for letter in outputs.rejected]
        assert reasons == [b"crashed_worker"]


def deaths(broker: Broker) -> list[tuple[Position, str]]:
    """What each worker died over, and the worker, in the order in which it was told."""
    with Snapshot(broker.kafka_settings, broker.topics.crashes) as told:
        reports = [CrashReport.model_validate_json(record.value or b"") for record in told.read()]
    return [(Position(r.topic, r.partition, r.offset), r.worker) for r in reports]


def deaths_over(broker: Broker, position: Position) -> list[str]:
    """The workers that died over this one."""
    return [worker for suspect, worker in deaths(broker) if suspect == position]


@pytest.mark.timeout(180)
async def test_poison_is_dead_lettered_and_its_neighbours_come_out_well(
    apache_kafka: ApacheKafka, shared: Path, tmp_path: Path
) -> None:
    poisoned = Poisoned(tmp_path, shared)
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, environ=poisoned.environ) as rig:
            await rig.publish(poisoned.requests)
            results = await rig.outputs.settled(poisoned.ids, 120)
            await rig.outputs.until(lambda: bool(rig.outputs.rejected), 10, "the dead letter")
            await rig.supervisor.ready()
        died = deaths_over(broker, poisoned.position(broker))
    poisoned.assert_settled(rig.outputs, results)
    assert len(died) == _MAX_ATTEMPTS, "it was tried again, or not so often as it may"


@pytest.mark.timeout(180)
async def test_its_deaths_are_counted_over_hosts(
    apache_kafka: ApacheKafka,
    shared: Path,
    tmp_path: Path,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    poisoned = Poisoned(tmp_path, shared)
    with on_kafka(apache_kafka) as broker:
        position = poisoned.position(broker)
        async with Rig(broker, workers=1, environ=poisoned.environ) as rig:
            await rig.publish(poisoned.requests)
            await rig.outputs.until(lambda: bool(deaths_over(broker, position)), 60, "a death")
        settled_before = len(rig.outputs.results)
        async with Rig(broker, workers=1, environ=poisoned.environ) as rig:
            results = await rig.outputs.settled(poisoned.ids, 120)
            await rig.outputs.until(lambda: bool(rig.outputs.rejected), 10, "the dead letter")
            await rig.supervisor.ready()
            records = rig.outputs.results
        died = deaths_over(broker, position)

    outcome = FaultOutcome.measured(
        9, "poison image, deaths on two hosts", poisoned.ids, records, since=None
    )
    fault_row(outcome)
    assert settled_before < len(poisoned.requests) * 0.9, "no backlog was left"
    assert outcome.lost == 0
    assert outcome.duplicates <= _MAX_ATTEMPTS * _MOST_DUPLICATES
    poisoned.assert_settled(rig.outputs, results)
    assert len(died) == _MAX_ATTEMPTS
    assert len(set(died)) == 2, "the deaths were not on two hosts"
