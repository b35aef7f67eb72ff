"""`facestream edge`: the HTTP API in front of the stream."""

from __future__ import annotations

import click


@click.command("edge")
@click.option("--host", help="address to listen at; else HOST")
@click.option("--port", type=click.IntRange(0, 65535), help="else PORT, else 8000")
@click.option("--link", type=int, hidden=True, help="descriptor of the socket to `facestream up`")
def command(host: str | None, port: int | None, link: int | None) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM. API_KEY must be set."""
    from cli.serving import Link, log_to_stderr, serve
    from http_edge.settings import EdgeSettings
    from stream.io import event_loop
    from stream.io.access import check_access

    log_to_stderr()
    given = {"host": host, "port": port}
    settings = EdgeSettings.model_validate(
        {name: value for name, value in given.items() if value is not None}
    )
    check_access(settings)
    event_loop.run(serve(settings, Link(link)))
