"""`SECURITY.md` names tests that are there, for every threat."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROWS = [
    line.split(" | ")
    for line in (_ROOT / "SECURITY.md").read_text().splitlines()
    if line.startswith("| ")
][1:]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_the_table_is_read() -> None:
    assert len(_ROWS) > 15
    assert {len(row) for row in _ROWS} == {3}


@pytest.mark.parametrize("row", _ROWS, ids=[row[0].strip("| ")[:60] for row in _ROWS])
def test_what_stands_against_a_threat_is_tested(row: list[str]) -> None:
    named = _TEST.findall(row[2])
    assert named
    for path, name in named:
        text = (_ROOT / path).read_text()
        assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), name
