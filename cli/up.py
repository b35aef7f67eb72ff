"""`facestream up`: everything in one command, for a first try and for development."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from http_edge.settings import EdgeSettings
    from stream.forked import ForkServerProcess
    from stream.settings import WorkerSettings

Settings = TypeVar("Settings", "EdgeSettings", "WorkerSettings")


@click.command("up")
@click.option("--workers", type=click.IntRange(1, 256), help="processes; else MAX_WORKERS")
@click.option("--port", type=click.IntRange(0, 65535), help="of the HTTP API; else PORT, else 8000")
@click.option(
    "--partitions",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="of each lane, where topics are created",
)
def command(workers: int | None, port: int | None, partitions: int) -> None:
    """Run workers and the HTTP API, on the embedded broker unless KAFKA_BOOTSTRAP_SERVERS names
    another.
    """
    from stream.forked import ForkServerProcess

    # its imports take the longest: ours go on meanwhile
    with closing(ForkServerProcess(os.environ)) as fork_server, ExitStack() as stack:
        _run(stack, fork_server, workers, port, partitions)


def _run(
    stack: ExitStack,
    fork_server: ForkServerProcess,
    workers: int | None,
    port: int | None,
    partitions: int,
) -> None:
    from cli.edge_process import EdgeProcess
    from cli.running import RunningBroker, announce
    from cli.supervised import log_to_stderr, run_until_told, run_workers
    from http_edge.settings import EdgeSettings
    from stream.io.access import check_access
    from stream.settings import WorkerSettings

    log_to_stderr()
    changes = {} if workers is None else {"MAX_WORKERS": str(workers)}
    changes |= {} if port is None else {"PORT": str(port)}
    new_key = None if os.environ.get("API_KEY") else secrets.token_urlsafe(24)
    changes |= {} if new_key is None else {"API_KEY": new_key}
    edge_settings = _settings(EdgeSettings, changes)
    _settings(WorkerSettings, changes)  # what is wrong is said before a broker starts
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        changes |= _embedded_broker(stack, partitions)
    settings = _settings(WorkerSettings, changes)
    if not settings.kafka_embedded:
        check_access(settings)
        _create_missing_topics(settings, partitions)
    broker = RunningBroker(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        embedded=settings.kafka_embedded,
        topic_prefix=settings.topic_prefix,
        blob_store_url=settings.blob_store_url,
    )
    environ = dict(os.environ) | changes
    edge = EdgeProcess(environ, longest_answer_s=edge_settings.request_timeout_s)

    def on_ready() -> None:
        stack.enter_context(announce(broker))
        kind = "the embedded broker" if settings.kafka_embedded else "Kafka"
        click.echo(
            f"Ready: {settings.max_workers} workers on {kind}, "
            f"KAFKA_BOOTSTRAP_SERVERS={settings.kafka_bootstrap_servers}"
        )
        click.echo(f"Ready: {edge.url}/docs{_said_of(new_key)}")
        click.echo(f"Playground: {edge.url}/")

    run_until_told(run_workers(settings, environ, on_ready, edge=edge, fork_server=fork_server))


def _settings(kind: type[Settings], changes: Mapping[str, str]) -> Settings:
    return kind.model_validate({name.lower(): value for name, value in changes.items()})


def _said_of(new_key: str | None) -> str:
    return "" if new_key is None else f", API_KEY={new_key} (made for this run: none was set)"


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
