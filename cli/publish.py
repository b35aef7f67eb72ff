"""`facestream publish`: photographs in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from cli.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.publishing import Order, PublishSettings
    from schemas.topics import Operation

#: on the embedded broker, whose 5 MiB a partition hold some 8,000 requests or 50 large results
_MOST_ON_EMBEDDED = 256


@click.command("publish")
@click.argument("sources", nargs=-1, required=True, metavar="PATH|URL|GLOB…")
@click.option(
    "--operation",
    type=click.Choice(("detect", "embed", "analyze")),
    default="embed",
    show_default=True,
)
@click.option(
    "--max-faces",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Most prominent faces that are embedded and analysed; 0: all.",
)
@click.option(
    "--key",
    metavar="TEMPLATE",
    help="Key of each event, with {name}, {file}, {folder} and {id} filled in, such as "
    "'{folder}' to keep a folder's photographs in order.  [default: {id}, the request's]",
)
@click.option(
    "--by-reference",
    is_flag=True,
    help="Send file:// addresses. The workers must see the files, and IMAGE_SOURCES allow them.",
)
@click.option(
    "--embedded", is_flag=True, help="The broker is an embedded one: send nothing inline."
)
@click.option("--wait", is_flag=True, help="Wait for the results and show them.")
@click.option(
    "--outstanding",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="With --wait: the most that are under way at once.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="With --wait: seconds without any result until it is given up.",
)
def command(
    *,
    sources: tuple[str, ...],
    operation: Operation,
    max_faces: int,
    key: str | None,
    by_reference: bool,
    embedded: bool,
    wait: bool,
    outstanding: int,
    timeout: float,
) -> None:
    """Publish photographs as requests: files, folders (with all below), globs, and addresses
    (http, https, s3, gs, az, file).

    Small files travel in their events, larger ones through the blob store (BLOB_STORE_URL).
    Exits with 1 when a photograph could not be published or, with --wait, failed.
    """
    from cli.connection import connected
    from cli.publishing import Order, PublishSettings

    given = {"kafka_embedded": True} if embedded else {}
    settings = connected(PublishSettings, **given)
    order = Order(operation, max_faces, key, by_reference)
    failed = _run(
        settings, order, sources, wait=wait, most_outstanding=outstanding, timeout_s=timeout
    )
    if failed:
        raise SystemExit(1)


def _run(
    settings: PublishSettings,
    order: Order,
    sources: Sequence[str],
    *,
    wait: bool,
    most_outstanding: int,
    timeout_s: float,
) -> int:
    """Returns how many failed."""
    from cli.following import Follower, check_topic
    from cli.photographs import NoPhotographs, find
    from cli.publishing import NoResults, publish, publish_and_follow
    from cli.watching import Watch

    try:
        total = sum(1 for _ in find(sources))
    except NoPhotographs as error:
        raise click.UsageError(str(error)) from None
    with ExitStack() as stack:
        if not (wait or settings.kafka_embedded):
            check_topic(settings, settings.topics.images)
            watch = stack.enter_context(Watch(total, wait=False))
            asyncio.run(publish(settings, order, find(sources), watch))
            return watch.failed
        topic = settings.topics.result(order.operation)
        follower = stack.enter_context(Follower(settings, topic))
        watch = stack.enter_context(Watch(total, wait=wait))
        most = most_outstanding if wait else _MOST_ON_EMBEDDED
        following = publish_and_follow(
            settings,
            order,
            find(sources),
            watch,
            follower,
            most_outstanding=most,
            timeout_s=timeout_s,
            to_the_end=wait,
        )
        try:
            asyncio.run(following)
        except NoResults as error:
            raise Failure(str(error)) from None
    return watch.failed
