"""`facestream worker`: the worker processes of this host, supervised."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream.forked import ForkServerProcess


@click.command("worker")
@click.option("--workers", type=click.IntRange(1, 256), help="processes; else MAX_WORKERS")
def command(workers: int | None) -> None:
    """Run the worker processes of this host until Ctrl-C or SIGTERM."""
    from stream.forked import ForkServerProcess

    # its imports take the longest: ours go on meanwhile
    with closing(ForkServerProcess(os.environ)) as fork_server:
        _run(fork_server, workers)


def _run(fork_server: ForkServerProcess, workers: int | None) -> None:
    from cli.supervised import log_to_stderr, run_until_told, run_workers
    from stream.io.access import check_access
    from stream.settings import WorkerSettings

    log_to_stderr()
    environ = dict(os.environ)
    if workers is not None:
        environ["MAX_WORKERS"] = str(workers)
    settings = WorkerSettings.model_validate({} if workers is None else {"max_workers": workers})
    check_access(settings)

    def on_ready() -> None:
        click.echo(f"Ready: {settings.max_workers} workers on {settings.kafka_bootstrap_servers}")

    run_until_told(run_workers(settings, environ, on_ready, patient=True, fork_server=fork_server))
