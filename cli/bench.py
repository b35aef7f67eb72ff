"""`facestream bench`: stream and edge beside a bare loop, and beside an afternoon's work."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.failures import Failure

if TYPE_CHECKING:
    from benchmarks.document import Document

#: measured instead of the comparison
_PARTS = ("profile", "lanes", "memory", "scale")
#: the embedded broker keeps 5 MiB a partition: the requests of a cell fit
_MOST_IMAGES = 20_000


def _part_options(command: Callable[..., None]) -> Callable[..., None]:
    """Of what is measured instead of the comparison."""
    for option in reversed(
        (
            click.option(
                "--profile",
                is_flag=True,
                help="Where an image's time goes: by stage, and by thread.",
            ),
            click.option(
                "--lanes",
                is_flag=True,
                help="What a caller waits while the bulk lane is saturated, and while it is idle.",
            ),
            click.option(
                "--memory",
                is_flag=True,
                help="`facestream up`: from start to first answer, and memory after 2,000 images.",
            ),
            click.option(
                "--scale",
                is_flag=True,
                help="Growth with processes whose models sleep, and what an event costs.",
            ),
            click.option(
                "--processes",
                type=click.IntRange(1, 256),
                multiple=True,
                help="With --scale; may be given several times.  [default: 1, 2, 4, 8, 16]",
            ),
            click.option(
                "--scale-sleep-ms",
                type=click.FloatRange(1),
                default=200,
                show_default=True,
                help="With --scale: in place of the models.",
            ),
        )
    ):
        command = option(command)
    return command


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--json",
                "json_path",
                type=click.Path(dir_okay=False, path_type=Path),
                help="Write everything that was measured to this file.",
            ),
            click.option(
                "--plot",
                "plot_path",
                type=click.Path(dir_okay=False, path_type=Path),
                help="Draw throughput against callers: a PNG.",
            ),
            click.option("--markdown", is_flag=True, help="Print the tables for a README."),
            click.option(
                "--from-json",
                "from_json",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                multiple=True,
                help="Measure nothing: show what --json wrote; several are put together.",
            ),
        )
    ):
        command = option(command)
    return command


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
    help="May be given several times.  [default: all]",
)
@click.option(
    "--set",
    "sets",
    type=click.Choice(("small", "mixed")),
    multiple=True,
    help="Of photographs, beside the checkout; not with a FOLDER.  [default: both]",
)
@click.option(
    "--side",
    "sides",
    type=click.Choice(("loop", "stream", "edge", "afternoon")),
    multiple=True,
    help="May be given several times.  [default: all]",
)
@click.option(
    "--callers",
    type=click.IntRange(1, 1000),
    multiple=True,
    help="Requests under way at once; may be given several times.  [default: 1, 4, 16]",
)
@click.option(
    "--images",
    type=click.IntRange(1, _MOST_IMAGES),
    help="In each cell; where there are fewer photographs, they come again.  "
    "[default: as many as --seconds allow]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    help="That a cell shall last, about: half of it with callers; a small set is computed whole.  "
    "[default: 3; with --scale: 10]",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; else MAX_WORKERS.")
@click.option(
    "--max-faces",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="On all sides: most prominent faces that are computed; 0: all.",
)
@click.option(
    "--frugal",
    is_flag=True,
    help="The afternoon's pool runs only the models that an operation needs, and not all.",
)
@click.option(
    "--broker",
    metavar="embedded|HOST:PORT",
    envvar="KAFKA_BOOTSTRAP_SERVERS",
    default="embedded",
    help="Also KAFKA_BOOTSTRAP_SERVERS; on a real one, topics of its own that are removed in the "
    "end.  [default: embedded]",
)
@_part_options
@_output_options
def command(**options: Any) -> None:
    """Compute the same photographs with the stream, over the HTTP edge, with a bare loop over the
    same models in as many processes (the machine's limit), and with `FaceAnalysis.get` in a pool of
    processes behind aiohttp (an afternoon's work), by turns, and compare. With --profile, --lanes,
    --memory or --scale: that instead.

    Without a FOLDER: the sets beside the checkout, else the photographs of the dependencies.
    """
    from rich.console import Console

    from benchmarks import document as documents
    from benchmarks import plot
    from cli.bench_printing import markdown, show

    written = options["from_json"]
    if options["plot_path"] is not None:
        plot.check()
        if not written and any(options[part] for part in _PARTS):
            raise click.UsageError("--plot draws the comparison, and it is not asked for")
    document = documents.read(written) if written else _measured(options)
    if options["json_path"] is not None:
        documents.write(document, options["json_path"])
    if options["markdown"]:
        _echo(markdown(document))
    else:
        show(Console(highlight=False), document)
    if options["plot_path"] is not None:
        if document.comparison is None:
            raise click.UsageError("--plot draws the comparison, and no file has one")
        plot.draw(document.comparison, document.machine, options["plot_path"])
    _demand_the_same(document)


def _measured(options: dict[str, Any]) -> Document:
    from rich.console import Console

    from cli.bench_parts import measure

    # as Ctrl-C does, it ends what was started, which would look for its broker for half a minute
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with Console(stderr=True).status("") as status:
        return asyncio.run(measure(options, os.environ, status.update))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _demand_the_same(document: Document) -> None:
    """Sides that did different work are not to be compared."""
    if document.comparison is not None and document.comparison.other_faces:
        different = "; ".join(document.comparison.other_faces)
        raise Failure(f"other faces than the loop's were found by {different}")
