"""`facestream consume`: faces out."""

from __future__ import annotations

from pathlib import Path

import click

from cli.failures import Failure

TOPICS = ("embeddings", "detections", "analyses", "rejected", "workers")


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
def command(
    *,
    topic: str,
    from_beginning: bool,
    count: int | None,
    timeout: float | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Follow a topic of results (default: embeddings), of dead letters or of heartbeats until
    Ctrl-C. A result that comes twice is shown once.
    """
    from cli.connection import connected
    from cli.following import Follower
    from cli.reading import Limits, follow, until_signal
    from cli.sinks import open_sink
    from stream.io.kafka import KafkaSettings

    if out is not None and (problem := _unfit(topic, out, as_json=as_json)):
        raise click.UsageError(problem)
    settings = connected(KafkaSettings)
    name: str = getattr(settings.topics, topic)
    once = topic not in ("rejected", "workers")
    with (
        until_signal() as interrupted,
        Follower(settings, name, from_beginning=from_beginning) as follower,
        open_sink(topic, as_json=as_json, out=out) as sink,
    ):
        came = follow(follower, sink, Limits(count, timeout), interrupted, once=once)
    if out is not None:
        click.echo(f"{came} events in {out}")
    if count is not None and came < count:
        raise Failure(f"{came} of {count} events came")


def _unfit(topic: str, out: Path, *, as_json: bool) -> str | None:
    if as_json:
        return "--json prints, --out writes: one of them"
    if out.suffix not in (".parquet", ".jsonl"):
        return f"--out: {out.name} is neither .parquet nor .jsonl"
    if out.suffix == ".parquet" and topic in ("rejected", "workers"):
        return f"--out: {topic} has no faces; write it to a .jsonl file"
    return None
