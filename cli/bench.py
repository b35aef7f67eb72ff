"""`facestream bench`: images a second of the stream beside a bare loop over the same models."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.photographs import PhotographSet
    from benchmarks.report import Report
    from cli.bench_edge import EdgeOrder

#: the embedded broker keeps 5 MiB a partition: the requests of a round fit
_MOST_IMAGES = 20_000


@click.command("bench")
@click.argument(
    "folders",
    nargs=-1,
    metavar="[FOLDER…]",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
)
@click.option(
    "--operation",
    "operations",
    type=click.Choice(("detect", "embed", "analyze")),
    multiple=True,
    help="May be given several times.  [default: embed]",
)
@click.option(
    "--images",
    type=click.IntRange(1, _MOST_IMAGES),
    default=300,
    show_default=True,
    help="In a round; where there are fewer photographs, they come again.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; else MAX_WORKERS.")
@click.option(
    "--max-faces",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="On both sides: most prominent faces that are computed; 0: all.",
)
@click.option(
    "--broker",
    metavar="embedded|HOST:PORT",
    envvar="KAFKA_BOOTSTRAP_SERVERS",
    default="embedded",
    help="Also KAFKA_BOOTSTRAP_SERVERS; on a real one, topics of its own that are removed in the "
    "end.  [default: embedded]",
)
@click.option(
    "--edge",
    is_flag=True,
    help="Measure one HTTP caller's milliseconds for extract-embedding instead, beside the same "
    "inference called directly.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything that was measured to this file.",
)
def command(
    *,
    folders: tuple[Path, ...],
    operations: tuple[str, ...],
    images: int,
    rounds: int,
    workers: int | None,
    max_faces: int,
    broker: str,
    edge: bool,
    json_path: Path | None,
) -> None:
    """Compute the same photographs with the stream and with a bare loop over the same models, in
    as many processes, by turns, and compare.

    Without a FOLDER: LFW beside the checkout, else the photographs of the dependencies.
    """
    changes = {} if workers is None else {"MAX_WORKERS": str(workers)}
    if edge:
        if operations or max_faces != 1:
            raise click.UsageError("--edge measures extract-embedding, of one face")
        from cli.bench_edge import EdgeOrder

        _measure_edge(EdgeOrder(_photographs(folders), images, broker), changes, json_path)
        return

    from rich.console import Console

    from benchmarks.suite import Order, run_suite
    from cli.bench_tables import show

    order = Order(
        operations=operations or ("embed",),  # type: ignore[arg-type]  # click has checked them
        photographs=_photographs(folders),
        images=images,
        rounds=rounds,
        max_faces=max_faces,
        broker=broker,
    )
    with Console(stderr=True).status("") as status:
        report = asyncio.run(run_suite(order, os.environ, changes, status.update))
    _write(report, json_path)
    show(Console(highlight=False), report)
    _demand_the_same(report)


def _measure_edge(order: EdgeOrder, changes: Mapping[str, str], json_path: Path | None) -> None:
    from rich.console import Console

    from cli.bench_edge import lines_of, run_edge

    with Console(stderr=True).status("") as status:
        document = asyncio.run(run_edge(order, os.environ, changes, status.update))
    _write(document, json_path)
    for line in lines_of(document):
        click.echo(line)


def _write(document: object, path: Path | None) -> None:
    import orjson

    if path is not None:
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _photographs(folders: Sequence[Path]) -> PhotographSet:
    from benchmarks.photographs import PhotographSet, default_photographs
    from cli.photographs import NoPhotographs, find

    if not folders:
        return default_photographs()
    try:
        found = tuple(one.path for one in find(map(str, folders)) if one.path is not None)
    except NoPhotographs as error:
        raise click.UsageError(str(error)) from None
    return PhotographSet(", ".join(folder.name for folder in folders), tuple(folders), found)


def _demand_the_same(report: Report) -> None:
    """Two sides that did different work are not to be compared."""
    different = [one.operation for one in report.operations if not one.same_faces]
    if different:
        raise Failure(f"the two sides found different faces: {', '.join(different)}")
