"""The table of the faults: `python -m tests.faults.table README.md` puts it between its marks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path

from tests.faults.outcome import FaultOutcome

#: what `make faults` measured
ROWS = Path(__file__).parents[2] / "build" / "faults.json"

_MARKED = re.compile(r"(<!-- faults -->\n).*?(<!-- /faults -->)", re.DOTALL)
_HEAD = ("fault", "events", "settled", "lost", "duplicates", "results again after")


def save(rows: Collection[FaultOutcome]) -> None:
    """Beside those of other faults, which earlier runs have measured."""
    measured = {row.number for row in rows}
    earlier = load() if ROWS.exists() else []
    rows = [*(row for row in earlier if row.number not in measured), *rows]
    ROWS.parent.mkdir(exist_ok=True)
    ROWS.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def load() -> list[FaultOutcome]:
    return [FaultOutcome(**row) for row in json.loads(ROWS.read_text())]


def markdown(rows: Iterable[FaultOutcome]) -> str:
    """A table in the order of the list, whatever the order in which they were measured."""
    lines = [_HEAD, ("---",) + ("---:",) * (len(_HEAD) - 1)]
    lines += [_cells(row) for row in sorted(rows, key=lambda row: row.number)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: FaultOutcome) -> tuple[str, ...]:
    recovered = "–" if row.recovered_s is None else f"{row.recovered_s:.1f} s"
    counts = (row.events, row.settled, row.lost, row.duplicates)
    return (row.fault, *(f"{count:,}" for count in counts), recovered)


def between_its_marks(text: str, table: str) -> str:
    """`text` with the table in place of what stands between the marks."""
    replaced, count = _MARKED.subn(lambda marks: marks[1] + table + marks[2], text)
    assert count == 1, "the text has no place for the table"
    return replaced


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(between_its_marks(target.read_text(), markdown(load())))
