"""`facestream top`: what goes on in the stream, live in a terminal, or once for a script."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("top")
@click.option("--once", is_flag=True, help="Watch for --window seconds, print it once, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line every --window seconds.")
@click.option(
    "--window",
    type=click.FloatRange(1, 3600),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="What rates, percentiles and counts of results are over.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --once: draw the screen into this file, 80 columns wide.",
)
def command(*, once: bool, as_json: bool, window: float, svg: Path | None) -> None:
    """Workers and their partitions, lag by lane, images a second, what each stage takes, dead
    letters by reason, and what is in flight: from Kafka alone, so on any machine that reaches it.

    It joins no group and writes nothing. What is not known yet is –, in JSON null. Ctrl-C or q
    ends it. Until a broker answers, it says so and waits; with --once it gives up.
    """
    import sys

    import orjson

    from cli import top_views
    from cli.reading import until_signal

    if svg is not None and not once:
        raise click.UsageError("--svg draws one screen: with --once")
    with until_signal() as interrupted:
        if not (once or as_json):
            if not sys.stdout.isatty():
                raise click.UsageError("standard output is no terminal: --once or --json")
            top_views.live(window, interrupted)
            return
        for figures in top_views.windows(window, interrupted, patient=not once):
            if as_json:
                click.echo(orjson.dumps(figures))
            elif svg is None:
                top_views.printed(figures)
            if svg is not None:
                top_views.drawn(figures, svg)
            if once:
                return
