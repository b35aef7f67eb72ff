"""`facestream rejected`: dead letters, and their way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.failures import Failure

if TYPE_CHECKING:
    from datetime import datetime

    from cli.dead_letters import Selection

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LISTED = 50


def _selecting(function: _Function) -> _Function:
    """The options by which dead letters are selected."""
    for option in (
        click.option("--until", metavar="WHEN", help="Rejected then or earlier."),
        click.option(
            "--since",
            metavar="WHEN",
            help="Rejected then or later: 2h, 30m or 7d ago, or an ISO date or time.",
        ),
        click.option("--topic", help="Where they came from: images or requests."),
        click.option(
            "--reason",
            "reasons",
            metavar="CODE",
            multiple=True,
            help="Such as image_not_found or not_json; may be given several times.",
        ),
    ):
        function = option(function)
    return function


_NAMES = "PARTITION:OFFSET|REQUEST-ID"


@click.group("rejected")
def command() -> None:
    """Dead letters: what was no request, and what failed in the bulk lane.

    Each is called by its place on its topic, PARTITION:OFFSET, or by its request's id.
    """


@command.command("list")
@_selecting
@click.option(
    "--limit", type=click.IntRange(1), default=_LISTED, show_default=True, help="The newest only."
)
@click.option("--json", "as_json", is_flag=True, help="Print all as JSON, a line each.")
def list_letters(*, limit: int, as_json: bool, **selecting: Any) -> None:
    """List them, the newest last, and count them by reason."""
    from cli.connection import connected
    from cli.dead_letter_table import JsonLines, Listing, NewestInTable
    from cli.dead_letters import DeadLetters, Replays
    from stream.io.kafka import KafkaSettings

    selection = _selection(**selecting)
    settings = connected(KafkaSettings)
    listing: Listing = JsonLines() if as_json else NewestInTable(limit, settings.topic_prefix)
    replays = Replays.read(settings)
    with DeadLetters(settings) as letters:
        for letter in letters.select(selection):
            listing.take(letter, replays.last_of(letter))
        listing.end()
        _tell_foreign(letters.foreign)


@command.command("show")
@click.argument("name", metavar=_NAMES)
@click.option("--raw", is_flag=True, help="Write the original bytes, and nothing else.")
def show(name: str, *, raw: bool) -> None:
    """Show one in full: why, from where, its headers, and its bytes where they are JSON.

    Credentials and query strings of addresses are left out, images are cut short; --raw writes
    everything. A request that was rejected several times has several dead letters.
    """
    from cli.connection import connected
    from cli.dead_letter_views import whole
    from cli.dead_letters import DeadLetters, Replays, Selection
    from stream.io.kafka import KafkaSettings

    settings = connected(KafkaSettings)
    with DeadLetters(settings) as letters:
        found = list(letters.select(Selection(named=(name,))))
    if not found:
        raise Failure(f"there is no dead letter {name}")
    if raw:
        if len(found) > 1:
            places = ", ".join(letter.place_name for letter in found)
            raise Failure(f"{name} has several dead letters, name one: {places}")
        click.get_binary_stream("stdout").write(found[0].record.value or b"")
        return
    replays = Replays.read(settings)
    click.echo("\n\n".join(whole(letter, replays.last_of(letter)) for letter in found))


@command.command("replay")
@click.argument("names", nargs=-1, metavar=f"[{_NAMES}]…")
@_selecting
@click.option("--limit", type=click.IntRange(1), help="No more than so many.")
@click.option("--again", is_flag=True, help="Those too that were replayed before.")
@click.option("--dry-run", is_flag=True, help="Only say what would be replayed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(
    *,
    names: tuple[str, ...],
    limit: int | None,
    again: bool,
    dry_run: bool,
    yes: bool,
    **selecting: Any,
) -> None:
    """Send them to the bulk lane again: the original bytes, key and headers, without deadline and
    reply address, and with the count of replays in facestream_replays.

    They stay on their topic, marked; what is marked is left out the next time, and so is what
    killed workers, unless it is named. What came from the interactive lane is replayed into the
    bulk lane too, for nobody waits for its answer any more.

    Exits with 1 when one could not be sent, or one that was named was not found.
    """
    from cli.connection import connected
    from cli.dead_letters import DeadLetters, Replays
    from cli.replaying import Plan, Rules, send
    from schemas.errors import CrashedWorker
    from stream.io.kafka import KafkaSettings

    selection = _selection(**selecting, named=names)
    settings = connected(KafkaSettings)
    rules = Rules(
        Replays.read(settings).last_of,
        again=again,
        crashing=bool(names) or CrashedWorker.code in selection.reasons,
    )
    topic = settings.topics.images
    with DeadLetters(settings) as letters:
        plan = Plan.of(letters.select(selection), rules, limit)
        click.echo(f"{plan.totals} to replay into {topic}" if plan.count else "Nothing to replay")
        for objection, count in plan.left_out.items():
            click.echo(f"{count} left out: {objection}")
        unsent = {name: "there is no such dead letter" for name in names if name not in plan.names}
        if plan.count and not dry_run:
            if not yes:
                click.confirm("Replay?", abort=True)
            done = asyncio.run(send(settings, plan.again(letters.select(selection), rules)))
            click.echo(f"{done.sent} replayed into {topic}")
            unsent |= done.refused
    for name, reason in unsent.items():
        click.echo(f"{name}: {reason}", err=True)
    if unsent:
        raise SystemExit(1)


def _tell_foreign(count: int) -> None:
    if count:
        click.echo(f"left out, for they are no dead letters: {count} records", err=True)


def _selection(
    *,
    reasons: tuple[str, ...],
    since: str | None,
    until: str | None,
    topic: str | None,
    named: tuple[str, ...] = (),
) -> Selection:
    from datetime import UTC, datetime

    from cli.dead_letters import Selection, moment

    now = datetime.now(UTC)

    def at(option: str, text: str | None) -> datetime | None:
        try:
            return None if text is None else moment(text, now)
        except (ValueError, OverflowError):
            raise click.BadParameter(
                f"{text!r} is neither like 2h, 30m or 7d nor an ISO date or time",
                param_hint=option,
            ) from None

    return Selection(reasons, at("--since", since), at("--until", until), topic, named)
