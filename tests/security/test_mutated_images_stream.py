"""Mutated images through a real worker: each event is settled, and no process dies of one."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.rig import Rig
from tests.security.bombs import BOMBS
from tests.security.mutations import mutated

IMAGES = 500
SEED = 21


@pytest.mark.timeout(240)
async def test_mutated_images_and_bombs_are_settled_and_the_workers_live(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    requests = []
    for name, data in mutated(IMAGES, SEED):
        inline = {"data": base64.b64encode(data).decode() or "AA=="}
        requests.append({"id": name[:256], "operation": "detect", "image": inline})
    for number, (name, (data, _)) in enumerate(BOMBS.items()):
        (tmp_path / f"{number}").write_bytes(data)
        uri = (tmp_path / f"{number}").as_uri()
        requests.append({"id": name, "operation": "detect", "image": {"uri": uri}})
    environ = {
        "MODEL_PACK": "synthetic",
        "DET_SIZE": "128",
        "IMAGE_SOURCES": f"{tmp_path.as_uri()}/",
    }
    async with Rig(embedded_broker, environ=environ) as rig:
        before = rig.supervisor.pids
        await rig.publish(requests)
        results = await rig.outputs.settled([str(request["id"]) for request in requests], 180)
        assert rig.supervisor.pids == before

    codes = {
        name: result.error.code if result.error else result.status
        for name, result in results.items()
    }
    for name, (_, code) in BOMBS.items():
        assert codes.pop(name) == code or (code == "ok" and results[name].status == "no_face")
    assert set(codes.values()) <= {
        "ok",
        "no_face",
        "not_an_image",
        "damaged_image",
        "too_many_pixels",
    }
    assert Counter(codes.values())["damaged_image"] < IMAGES
