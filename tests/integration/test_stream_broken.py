"""Broken things among good ones: each good one has its result, each bad one its dead letter."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.brokers import Broker
from tests.rig import Record, Rig, by_reference

_SIDE = 30_000


def _bomb() -> bytes:
    """A valid 30,000×30,000 one-bit grey PNG: 900 million pixels in about 110 KB."""
    row = b"\0" + b"\0" * (_SIDE // 8)
    packer = zlib.compressobj(9)
    data = b"".join([*(packer.compress(row) for _ in range(_SIDE)), packer.flush()])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 1, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _broken(folder: Path, photograph: bytes, outside: Path) -> dict[str, tuple[str, Any]]:
    """What is published, by the error code that it must be settled with."""
    folder.mkdir(exist_ok=True)
    text = folder / "text.jpg"
    text.write_text("this is no photograph, whatever its name says")
    bomb = folder / "bomb.png"
    bomb.write_bytes(_bomb())
    cut = folder / "cut.jpg"
    cut.write_bytes(photograph[: len(photograph) * 2 // 3])
    good = folder / "good.jpg"
    good.write_bytes(photograph)
    wrong = hashlib.sha256(b"something else").hexdigest()
    hashed = {"uri": good.as_uri(), "sha256": wrong}
    both = {"uri": good.as_uri(), "data": base64.b64encode(photograph).decode()}
    return {
        "random bytes": ("not_json", bytes(range(256)) * 3),
        "no value": ("not_json", b""),
        "no request": ("no_image", {"id": "no request", "operation": "embed", "hello": "world"}),
        "unknown operation": ("unknown_operation", {"operation": "guess", "image": {"uri": "x"}}),
        "both": ("ambiguous_image", {"operation": "embed", "image": both}),
        "missing": ("image_not_found", by_reference(folder / "missing.jpg")),
        "text": ("not_an_image", by_reference(text)),
        "bomb": ("too_many_pixels", by_reference(bomb)),
        "cut": ("damaged_image", by_reference(cut)),
        "forbidden": ("image_forbidden", by_reference(outside)),
        "escape": (
            "image_forbidden",
            {
                "id": "escape",
                "operation": "embed",
                "image": {"uri": f"{folder.as_uri()}/../{outside.name}"},
            },
        ),
        "hash": ("hash_mismatch", {"id": "hash", "operation": "embed", "image": hashed}),
        "no base64": (
            "not_an_image",
            {"id": "no base64", "operation": "embed", "image": {"data": "%%%"}},
        ),
    }


def _bytes_of(request: Any) -> bytes:
    return request if isinstance(request, bytes) else orjson.dumps(request)


@pytest.mark.timeout(120)
async def test_good_ones_have_results_and_bad_ones_dead_letters_and_the_worker_lives(
    broker: Broker, shared: Path, tmp_path: Path
) -> None:
    lfw = shared / "faces" / "lfw"
    photographs = sorted(lfw.rglob("*.jpg"))[:40]
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(photographs[0].read_bytes())
    allowed = tmp_path / "allowed"
    broken = _broken(allowed, photographs[0].read_bytes(), outside)

    requests: list[Any] = [by_reference(path) for path in photographs]
    for number, (_, request) in enumerate(broken.values()):
        requests.insert(number * 3, request)

    sources = f"{lfw.as_uri()}/,{allowed.as_uri()}/"
    async with Rig(broker, environ={"IMAGE_SOURCES": sources}) as rig:
        before = rig.supervisor.pids
        await rig.publish(requests)
        results = await rig.outputs.settled((path.name for path in photographs), 60)
        outputs = rig.outputs
        await outputs.until(lambda: len(outputs.rejected) >= len(broken), 60, "the dead letters")
        assert rig.supervisor.pids == before

    assert all(results[path.name].status == "ok" for path in photographs)
    letters = {record.value: record for record in outputs.rejected}
    assert len(letters) == len(outputs.rejected) == len(broken)
    for name, (code, request) in broken.items():
        letter = letters[_bytes_of(request)]
        assert letter.headers["facestream_error_code"].decode() == code, name
        assert letter.headers["facestream_error_message"], name
        assert letter.headers["facestream_error_topic"].decode() == rig.topics.images
        assert int(letter.headers["facestream_error_offset"]) >= 0
        assert letter.key is not None

    failures = {record.result.request_id: record for record in outputs.results if _failed(record)}
    settled_as_failed = {"missing.jpg", "text.jpg", "bomb.png", "cut.jpg", "outside.jpg"}
    settled_as_failed |= {"escape", "hash", "no base64"}
    assert set(failures) == settled_as_failed
    for record in failures.values():
        assert record.result.error is not None
        assert record.result.faces == []


def _failed(record: Record) -> bool:
    return record.result.status == "failed"
