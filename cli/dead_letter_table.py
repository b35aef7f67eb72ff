"""The list of dead letters: the newest in a table, or all as JSON lines; their count by reason."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.dead_letter_views import document, printable, text_of
from cli.dead_letters import DeadLetter

#: heading, and of what the others leave of the line, its share
_COLUMNS = (
    ("place", None),
    ("rejected", None),
    ("reason", None),
    ("from", None),
    ("key", 1),
    ("request", 1),
    ("", None),
)
#: what goes to a file or a pipe is not cut
_WIDTH_OF_A_PIPE = 1000


class Listing(Protocol):
    """Takes dead letters one by one, and shows what is to be seen of them at the end."""

    def take(self, letter: DeadLetter, replayed_at: datetime | None) -> None: ...

    def end(self) -> None: ...


class JsonLines:
    """Each as it comes, and nothing else."""

    def take(self, letter: DeadLetter, replayed_at: datetime | None) -> None:
        click.echo(orjson.dumps(document(letter, replayed_at)))

    def end(self) -> None:
        pass


class _Line(NamedTuple):
    rejected_at_ms: int
    partition: int
    offset: int
    cells: tuple[str, ...]


class NewestInTable:
    """The newest of them, the newest last, and the count of all by reason."""

    def __init__(self, most: int, prefix: str) -> None:
        """prefix: without which topics are shown."""
        self._most = most
        self._prefix = prefix
        self._newest: list[_Line] = []
        self._totals = Totals()

    def take(self, letter: DeadLetter, replayed_at: datetime | None) -> None:
        self._totals.take(letter, replayed_at)
        cells = self._cells(letter, replayed_at)
        heapq.heappush(self._newest, _Line(letter.record.timestamp_ms, *letter.place, cells))
        if len(self._newest) > self._most:
            heapq.heappop(self._newest)

    def end(self) -> None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=_WIDTH_OF_A_PIPE)
        if self._newest:
            lines = (line.cells for line in sorted(self._newest))
            console.print(_table(lines, cut=console.is_terminal))
        hidden = self._totals.count - len(self._newest)
        if hidden > 0:
            console.print(f"… and {hidden} older: --limit")
        console.print(Text(str(self._totals), style="bold"))

    def _cells(self, letter: DeadLetter, replayed_at: datetime | None) -> tuple[str, ...]:
        rejection = letter.rejection
        before = f"again {rejection.replays}×" if rejection.replays else ""
        return (
            letter.place_name,
            f"{letter.rejected_at.astimezone():%m-%d %H:%M}",
            printable(rejection.code),
            printable(letter.origin.removeprefix(self._prefix)),
            "" if letter.record.key is None else text_of(letter.record.key),
            printable(letter.request_id),
            "replayed" if replayed_at else before,
        )


class Totals:
    """`12 dead letters: 7 image_not_found, 5 not_json; 3 of them replayed`."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._replayed = 0

    @property
    def count(self) -> int:
        return self._reasons.total()

    def take(self, letter: DeadLetter, replayed_at: datetime | None = None) -> None:
        self._reasons[letter.rejection.code] += 1
        self._replayed += replayed_at is not None

    def __str__(self) -> str:
        text = f"{self.count} dead letter{'' if self.count == 1 else 's'}"
        if self._reasons:
            by_reason = self._reasons.most_common()
            text += ": " + ", ".join(f"{count} {printable(code)}" for code, count in by_reason)
        return text + (f"; {self._replayed} of them replayed" if self._replayed else "")


def _table(lines: Iterable[tuple[str, ...]], *, cut: bool) -> Table:
    """`cut`: keys and ids have only the place that the others leave them."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=cut)
    for heading, share in _COLUMNS:
        drawn.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=share if cut else None)
    for cells in lines:
        drawn.add_row(*map(Text, cells))
    return drawn
