"""Tables of a benchmark, to a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.bench_tables import Shown, facts, tables

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.document import Document


def show(console: Console, document: Document) -> None:
    """Print it; nothing is printed that was not measured."""
    from rich import box
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts(document).items():
        grid.add_row(name, value)
    console.print(grid)
    for shown in tables(document):
        table = Table(
            title=shown.title,
            title_justify="left",
            title_style="bold",
            caption=shown.note or None,
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for number, column in enumerate(shown.columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in shown.rows:
            table.add_row(*row)
        console.print(table)


def markdown(document: Document) -> Iterator[str]:
    """The lines of all tables, for a README."""
    named = facts(document)
    yield f"Measured on {named.pop('machine')}."
    yield ""
    yield f"{'; '.join(f'{name}: {value}' for name, value in named.items())}."
    for shown in tables(document):
        yield from ("", *_markdown(shown))


def _markdown(shown: Shown) -> Iterator[str]:
    yield f"**{shown.title[:1].upper()}{shown.title[1:]}**"
    yield ""
    yield f"| {' | '.join(shown.columns)} |"
    yield f"| --- |{' ---: |' * (len(shown.columns) - 1)}"
    for row in shown.rows:
        yield f"| {' | '.join(row)} |"
    if shown.note:
        yield from ("", shown.note)
