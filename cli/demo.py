"""`facestream demo`: the main job on photographs that come with the dependencies."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cli.failures import Failure


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Where the annotated pictures go.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
def command(*, out: Path, workers: int) -> None:
    """Start the embedded broker and workers, publish some photographs, and show what is found.

    MODEL_PACK (here: buffalo_s unless it is set) says which models; where no weights can be had,
    the synthetic pack stands in, and every line and picture says so.
    """
    from cli.demonstration import run

    if run(out, workers, os.environ):
        raise Failure("not every photograph has its result")
