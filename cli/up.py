"""`facestream up`: everything in one command, for a first try and for development."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream.settings import WorkerSettings


@click.command("up")
@click.option("--workers", type=click.IntRange(1, 256), help="processes; else MAX_WORKERS")
@click.option(
    "--partitions",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="of each lane, where topics are created",
)
def command(workers: int | None, partitions: int) -> None:
    """Run workers, on the embedded broker unless KAFKA_BOOTSTRAP_SERVERS names another."""
    from cli.running import RunningBroker, announce
    from cli.supervised import log_to_stderr, run_until_told, run_workers
    from stream.settings import WorkerSettings

    log_to_stderr()
    changes = {} if workers is None else {"MAX_WORKERS": str(workers)}
    with ExitStack() as stack:
        if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
            changes |= _embedded_broker(stack, partitions)
        settings = WorkerSettings.model_validate(
            {name.lower(): value for name, value in changes.items()}
        )
        if not settings.kafka_embedded:
            _create_missing_topics(settings, partitions)
        broker = RunningBroker(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            embedded=settings.kafka_embedded,
            topic_prefix=settings.topic_prefix,
            blob_store_url=settings.blob_store_url,
        )

        def on_ready() -> None:
            stack.enter_context(announce(broker))
            kind = "the embedded broker" if settings.kafka_embedded else "Kafka"
            click.echo(
                f"Ready: {settings.max_workers} workers on {kind}, "
                f"KAFKA_BOOTSTRAP_SERVERS={settings.kafka_bootstrap_servers}"
            )

        run_until_told(run_workers(settings, dict(os.environ) | changes, on_ready))


def _embedded_broker(stack: ExitStack, partitions: int) -> dict[str, str]:
    from stream.embedded import EmbeddedBroker
    from stream.io.kafka import KafkaSettings

    broker = stack.enter_context(EmbeddedBroker(KafkaSettings().topic_prefix, partitions))
    return {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "KAFKA_EMBEDDED": "true"}


def _create_missing_topics(settings: WorkerSettings, partitions: int) -> None:
    from stream.io.topic_admin import ensure_topics

    for topic in ensure_topics(settings, partitions):
        if topic.state == "differs":
            click.echo(f"topic {topic.name}: {topic.reason}; see `facestream topics`", err=True)
