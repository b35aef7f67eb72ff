"""The main job on both brokers: photographs in, one result each out, and they mean something."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pairs import pair_accuracy, read_pairs
from tests.brokers import Broker
from tests.rig import Rig, by_reference


@pytest.mark.timeout(300)
async def test_every_lfw_photograph_has_one_result_id_and_tells_persons_apart(
    broker: Broker, shared: Path
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))
    assert len(photographs) == 769
    requests = [by_reference(path) for path in photographs]

    async with Rig(broker, environ={"IMAGE_SOURCES": f"{lfw.as_uri()}/"}) as rig:
        await rig.publish(requests)
        results = await rig.outputs.settled((path.name for path in photographs), timeout_s=240)
        records = rig.outputs.results

    assert set(results) == {path.name for path in photographs}
    assert {result.status for result in results.values()} <= {"ok", "no_face"}
    assert len({record.result.id for record in records}) == 769
    assert rig.outputs.rejected == []

    shares = Counter(record.headers["ce_source"] for record in records)
    assert len(shares) == 2
    assert min(shares.values()) > 769 / 4, f"one worker did nearly all: {shares}"

    embeddings = {
        f"{path.parent.name}/{path.name}": np.array(
            results[path.name].faces[0].embedding, np.float32
        )
        for path in photographs
        if results[path.name].faces
    }
    accuracy, usable = pair_accuracy(read_pairs(lfw / "pairs.csv"), embeddings)
    assert usable >= 790
    assert accuracy >= 0.990
