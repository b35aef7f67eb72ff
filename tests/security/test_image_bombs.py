"""A file that asks for much is refused, or decoded at the cost of its pixels alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from schemas.errors import FacestreamError
from stream.images import decode
from tests.security.bombs import BOMBS
from tests.security.decoding_child import MAX_PIXELS, MEMORY_BYTES, DecodingChild

#: twice and more what the largest allowed image takes; what is not refused takes minutes
LONGEST_S = 10.0


@pytest.fixture(scope="module")
def child() -> Iterator[DecodingChild]:
    with DecodingChild() as running:
        yield running


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_settled_in_bounded_time_and_memory(name: str, child: DecodingChild) -> None:
    data, code = BOMBS[name]
    assert len(data) <= 10 * 1024 * 1024
    settled = child.decode(data)
    assert settled.code == code, settled.message
    assert settled.cpu_s < LONGEST_S
    assert settled.peak_bytes < MEMORY_BYTES


def test_a_bomb_does_not_fill_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    for data, _ in BOMBS.values():
        with contextlib.suppress(FacestreamError):
            decode(data, MAX_PIXELS)
    written = capfd.readouterr()
    assert len(written.out) + len(written.err) < 100 * len(BOMBS)
