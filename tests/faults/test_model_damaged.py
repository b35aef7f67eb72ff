"""A host whose model file is damaged, beside one at work: it says so, waits, comes up by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.results import WorkerStatus
from stream.settings import WorkerSettings
from stream.supervisor import Supervisor
from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.faults.outcome import FaultOutcome
from tests.rig import Rig, by_reference

_EVENTS = 1200
_AGAIN = re.compile(r"started again in (\d+\.\d) s")


@pytest.mark.timeout(180)
async def test_a_host_with_a_damaged_model_says_so_and_works_when_the_file_is_repaired(
    apache_kafka: ApacheKafka,
    shared: Path,
    tmp_path: Path,
    fault_row: Callable[[FaultOutcome], None],
) -> None:
    whole = shared / "models" / "insightface" / "models" / "buffalo_s"
    pack = tmp_path / "models" / "buffalo_s"
    pack.mkdir(parents=True)
    for file in whole.glob("*.onnx"):
        (pack / file.name).symlink_to(file)
    damaged = pack / "w600k_mbf.onnx"
    damaged.unlink()
    damaged.write_bytes((whole / damaged.name).read_bytes()[:1_000_000])

    lfw = shared / "faces" / "lfw"
    paths = sorted(lfw.rglob("*.jpg"))
    requests = [
        by_reference(paths[number % len(paths)]) | {"id": f"{number}"} for number in range(_EVENTS)
    ]
    ids = [f"{number}" for number in range(_EVENTS)]
    environ = {
        "IMAGE_SOURCES": f"{lfw.as_uri()}/",
        "EMOTION_ENGINE": "off",
        "DET_SIZE": "320",
        "DET_SIZE_MODE": "fixed",
        "HEARTBEAT_INTERVAL_S": "0.5",
    }
    log_path = tmp_path / "worker.log"
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, workers=1, environ=environ) as rig:
            outputs = rig.outputs
            await rig.publish(requests)
            own = set(outputs.statuses())
            settings = WorkerSettings.model_validate(
                rig.settings.model_dump() | {"model_root": tmp_path}
            )
            with log_path.open("wb") as log:
                other = Supervisor(settings, rig.environ | {"MODEL_ROOT": str(tmp_path)}, log=log)
                async with other:

                    def words() -> list[str]:
                        """What it said of its failures, in its worker's place."""
                        records = outputs.on(broker.topics.workers)
                        said = (
                            WorkerStatus.model_validate_json(record.value) for record in records
                        )
                        return [
                            word.message or ""
                            for word in said
                            if word.id not in own and word.state == "failed"
                        ]

                    def pauses() -> set[str]:
                        return {found for word in words() for found in _AGAIN.findall(word)}

                    await outputs.until(lambda: {"0.5", "1.0"} <= pauses(), 40, "two tries")
                    said = words()
                    damaged.write_bytes((whole / damaged.name).read_bytes())
                    await outputs.until(
                        lambda: any(
                            status.settled > 0
                            for worker, status in outputs.statuses().items()
                            if worker not in own
                        ),
                        40,
                        "work of the repaired host",
                    )
                    assert len(outputs.results) < _EVENTS, "no backlog"
                    results = await outputs.settled(ids, 60)
            records = outputs.results

    outcome = FaultOutcome.measured(8, "model file damaged on one host", ids, records, since=None)
    fault_row(outcome)
    assert outcome.lost == 0
    assert outcome.duplicates <= 16
    assert {result.status for result in results.values()} <= {"ok", "no_face"}
    assert all(f"exit code 3: {damaged} cannot be loaded: " in word for word in said)
    log_text = log_path.read_text()
    assert f"no models: {damaged} cannot be loaded: " in log_text
    assert "Traceback" not in log_text
