"""What `publish` and `demo` show while photographs go in and results come out."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cli import tables
from cli.photographs import Photograph
from schemas.results import Result


class Watch:
    """A bar, with `wait` a line for each result, and a line of totals at the end.

    The lines go to standard output. The bar is on the terminal alone, wherever the lines go.
    """

    def __init__(self, total: int, *, wait: bool, most_faces: int = 1) -> None:
        self._wait = wait
        self._most_faces = most_faces
        self._total = total
        self._out = Console(highlight=False)
        one_screen = self._out.is_terminal
        self._bar = progress(self._out if one_screen else Console(stderr=True))
        self._lines = tables.Lines(self._out)
        self._counts: Counter[str] = Counter()
        self._faces = 0
        self._began_at = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        self._published = self._bar.add_task("published", total=self._total)
        if self._wait:
            self._settled = self._bar.add_task("results", total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        self._out.print(self._summary(), style="bold", soft_wrap=True)

    @property
    def failed(self) -> int:
        """Photographs that were not published, or whose result is a failure."""
        return self._counts["unsent"] + self._counts["failed"]

    def published(self, photograph: Photograph) -> None:  # noqa: ARG002 - the protocol gives it
        self._counts["published"] += 1
        self._bar.advance(self._published)

    def refused(self, photograph: Photograph, reason: str) -> None:
        self._counts["unsent"] += 1
        self._bar.advance(self._published)
        if self._wait:
            self._bar.advance(self._settled)
        self._lines.show(tables.unsent(photograph.name, reason))

    def settled(self, name: str, result: Result) -> None:
        self._counts[result.status] += 1
        self._faces += len(result.faces)
        if not self._wait:
            return
        self._bar.advance(self._settled)
        for row in tables.rows(name, result, self._most_faces):
            self._lines.show(row)

    def _summary(self) -> str:
        counts = self._counts
        elapsed_s = time.monotonic() - self._began_at
        parts = [f"{counts['published']} published"]
        if counts["unsent"]:
            parts.append(f"{counts['unsent']} not")
        if self._wait:
            parts += [f"{counts[status]} {status}" for status in ("ok", "no_face", "failed")]
            missing = counts["published"] - sum(counts[s] for s in ("ok", "no_face", "failed"))
            if missing > 0:
                parts.append(f"{missing} without a result")
            parts.append(f"{self._faces} faces")
        rate = (self._total / elapsed_s) if elapsed_s > 0 else 0.0
        return f"{', '.join(parts)} in {elapsed_s:.1f} s ({rate:.1f} a second)"


def progress(console: Console) -> Progress:
    """A bar that goes when it is done, and is not drawn where nobody looks."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
