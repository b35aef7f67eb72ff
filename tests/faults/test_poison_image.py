"""An image that kills its process is dead-lettered after `MAX_ATTEMPTS`; its neighbours are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apache_kafka import ApacheKafka
from tests.brokers import on_kafka
from tests.rig import Rig, by_reference

#: read by Python at the start of every worker: decoding this one image is a segmentation fault
_CRASHING_DECODER = """
import signal, sys
if "stream.worker" in " ".join(sys.orig_argv):
    import stream.fetching as fetching
    sound = fetching.decode
    def decode(data, max_pixels):
        if b"poison" in data[-16:]:
            signal.raise_signal(signal.SIGSEGV)  # in this thread, as a real one is
        return sound(data, max_pixels)
    fetching.decode = decode
"""


@pytest.mark.timeout(180)
async def test_poison_is_dead_lettered_and_its_neighbours_come_out_well(
    apache_kafka: ApacheKafka, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_CRASHING_DECODER)
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:60]
    poison = tmp_path / "poison.jpg"
    poison.write_bytes(photographs[0].read_bytes() + b"poison")
    root = Path(__file__).parents[2]
    environ = {
        "IMAGE_SOURCES": f"{lfw.as_uri()}/,{tmp_path.as_uri()}/",
        "PYTHONPATH": f"{tmp_path}:{root}",
        "MAX_ATTEMPTS": "3",
    }
    requests = [by_reference(path) for path in photographs]
    requests.insert(20, by_reference(poison))
    with on_kafka(apache_kafka) as broker:
        async with Rig(broker, environ=environ) as rig:
            await rig.publish(requests)
            results = await rig.outputs.settled([request["id"] for request in requests], 150)
            await rig.outputs.until(lambda: bool(rig.outputs.rejected), 10, "the dead letter")
            await rig.supervisor.ready()

    assert all(results[path.name].status == "ok" for path in photographs)
    error = results["poison.jpg"].error
    assert error is not None
    assert error.code == "crashed_worker"
    letters = rig.outputs.rejected
    assert [letter.headers["facestream_error_code"] for letter in letters] == [b"crashed_worker"]
