"""`facestream topics`: create the topics on a real cluster, or check them."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from schemas.topics import DEFAULT_PARTITIONS
from stream.io.access import check_access
from stream.io.kafka import KafkaSettings
from stream.io.topic_admin import BROKER_DEFAULT_REPLICATION, TopicState, ensure_topics

_COLOURS = {"created": "green", "ok": "green", "differs": "red"}


@click.command("topics")
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=DEFAULT_PARTITIONS,
    show_default=True,
    help="Of the lanes, results, dead letters and replies: the unit of parallelism.",
)
@click.option(
    "--replication",
    type=click.IntRange(1, 100),
    default=None,
    help="Copies of each partition.  [default: the cluster's own]",
)
def command(partitions: int, replication: int | None) -> None:
    """Create the topics on the cluster, or check those that are there.

    Nothing that exists is changed. Exits with 1 when something differs.
    """
    settings = KafkaSettings()
    check_access(settings)
    states = ensure_topics(settings, partitions, replication or BROKER_DEFAULT_REPLICATION)
    Console().print(_table(states, settings.kafka_bootstrap_servers))
    if any(state.state == "differs" for state in states):
        raise SystemExit(1)


def _table(states: Sequence[TopicState], servers: str) -> Table:
    table = Table(title=f"Topics on {servers}")
    table.add_column("topic", overflow="fold")
    table.add_column("partitions", justify="right")
    table.add_column("settings", overflow="fold")
    table.add_column("state", overflow="fold")
    for state in states:
        settings = "\n".join(f"{name}={value}" for name, value in state.config.items())
        verdict = "\n".join((state.state, *state.differences))
        table.add_row(
            state.name, str(state.partitions), settings, verdict, style=_COLOURS[state.state]
        )
    return table
