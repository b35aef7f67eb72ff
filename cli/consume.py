"""`facestream consume`: faces out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from cli.failures import Failure

TOPICS = ("embeddings", "detections", "analyses", "rejected", "workers")
_NO_RESULTS = ("rejected", "workers")


@click.command("consume")
@click.argument("topic", type=click.Choice(TOPICS), default=TOPICS[0])
@click.option("--from-beginning", is_flag=True, help="From the oldest event on; else new ones.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds without an event after which it stops. Fewer than --count: exits with 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the events' JSON, a line each.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to faces.parquet (a row for each face) or results.jsonl (a line for each result).",
)
@click.option(
    "--draw",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw what was found on the photographs, into this folder. They are read where "
    "IMAGE_SOURCES allows, and from the blob store.",
)
@click.option(
    "--photographs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --draw: the folder that was published, whose small files travelled in their events.",
)
def command(
    *,
    topic: str,
    from_beginning: bool,
    count: int | None,
    timeout: float | None,
    as_json: bool,
    out: Path | None,
    draw: Path | None,
    photographs: Path | None,
) -> None:
    """Follow a topic of results (default: embeddings), of dead letters or of heartbeats until
    Ctrl-C. A result that comes twice is shown once.
    """
    from cli.connection import connected
    from cli.following import Follower
    from cli.reading import Limits, follow, until_signal
    from cli.sinks import Sink, open_sink
    from stream.io.kafka import KafkaSettings

    if problem := _unfit(topic, as_json=as_json, out=out, draw=draw, photographs=photographs):
        raise click.UsageError(problem)
    settings: KafkaSettings
    sink_of: Callable[[], Sink]
    if draw is None:
        settings = connected(KafkaSettings)
        sink_of = partial(open_sink, topic, as_json=as_json, out=out)
    else:
        from cli.pictures import Pictures, PictureSettings

        settings = connected(PictureSettings)
        sink_of = partial(Pictures, draw, settings, photographs)
    name: str = getattr(settings.topics, topic)
    once = topic not in _NO_RESULTS
    with (
        until_signal() as interrupted,
        Follower(settings, name, from_beginning=from_beginning) as follower,
        sink_of() as sink,
    ):
        came = follow(follower, sink, Limits(count, timeout), interrupted, once=once)
    if (told := sink.told(came)) is not None:
        click.echo(told)
    if count is not None and came < count:
        raise Failure(f"{came} of {count} events came")


def _unfit(
    topic: str,
    *,
    as_json: bool,
    out: Path | None,
    draw: Path | None,
    photographs: Path | None,
) -> str | None:
    """What is wrong with the options together."""
    if sum((as_json, out is not None, draw is not None)) > 1:
        return "--json prints, --out writes, --draw draws: one of them"
    if photographs is not None and draw is None:
        return "--photographs is for --draw"
    if draw is not None and topic in _NO_RESULTS:
        return f"--draw: {topic} has no faces"
    if out is not None and out.suffix not in (".parquet", ".jsonl"):
        return f"--out: {out.name} is neither .parquet nor .jsonl"
    if out is not None and out.suffix == ".parquet" and topic in _NO_RESULTS:
        return f"--out: {topic} has no faces; write it to a .jsonl file"
    return None
