"""Ways to look at the stream: live in a terminal, window by window for a script, as a drawing."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from cli.connection import connected
from cli.following import BrokerAway
from cli.keyboard import Keyboard
from cli.observing import Observation
from cli.running import find, settings_of
from cli.top_figures import Figures
from cli.top_screen import screen
from stream.io.kafka import GroupSettings

#: how long a key may wait, and a screen
_STEP_S = 0.1
_DRAWN_EVERY_S = 0.5
_GIVE_UP_S = 10.0
#: of a screen that nothing scrolls
_ENDLESS = 10_000
_WIDTH = 80
#: rich's SVG fetches its font from another host
_FOREIGN_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def windows(
    window_s: float, interrupted: Callable[[], bool], *, patient: bool
) -> Iterator[Figures]:
    """The figures of one window after another.

    patient: what cannot be told is told as `trouble`; else raises `BrokerAway` after 10 s.
    """
    with Observation(connected(GroupSettings), window_s) as observation:
        give_up_at = time.monotonic() + _GIVE_UP_S
        while not (observation.connected or patient or interrupted()):
            observation.advance(_STEP_S)
            if observation.trouble is not None and time.monotonic() > give_up_at:
                raise BrokerAway(observation.trouble)
        while True:
            until = time.monotonic() + window_s
            while (left_s := until - time.monotonic()) > 0:
                if interrupted():
                    return
                observation.advance(min(_STEP_S, left_s))
            yield observation.figures()


def live(window_s: float, interrupted: Callable[[], bool]) -> None:
    """On the whole terminal until Ctrl-C or q. Finds the broker of an `up` that starts later."""
    settings = connected(GroupSettings)
    console = Console(highlight=False)
    with (
        Keyboard() as keys,
        Live(console=console, screen=True, auto_refresh=False) as shown,
    ):

        def left() -> bool:
            return interrupted() or "q" in keys.pressed().lower()

        def watch(observation: Observation) -> bool:
            """False when the broker is to be looked for elsewhere."""
            drawn_at = 0.0
            while not left():
                observation.advance(_STEP_S)
                if observation.trouble is not None and _found() != observation.settings:
                    return False
                if time.monotonic() - drawn_at < _DRAWN_EVERY_S:
                    continue
                drawn_at = time.monotonic()
                hint = f"q quits · over {window_s:g} s"
                if not observation.connected:
                    hint = f"connecting to {observation.settings.kafka_bootstrap_servers} …"
                size = console.size
                view = screen(observation.figures(), size.width, size.height, hint)
                shown.update(view, refresh=True)
            return True

        done = False
        while not done:
            with Observation(settings, window_s) as observation:
                done = watch(observation)
            settings = _found()


def _found() -> GroupSettings:
    given = settings_of(find(), os.environ)
    return GroupSettings(**given)


def printed(figures: Figures) -> None:
    """All of it, as wide as the terminal; 80 columns where there is none."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(screen(figures, console.width, _ENDLESS))
        return
    console = Console(highlight=False, width=_WIDTH)
    with console.capture() as captured:
        console.print(screen(figures, _WIDTH, _ENDLESS))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def drawn(figures: Figures, path: Path) -> None:
    """The screen as an SVG, 80 columns wide."""
    console = Console(
        highlight=False,
        width=_WIDTH,
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(screen(figures, _WIDTH, _ENDLESS))
    picture = _FOREIGN_FONT.sub("", console.export_svg(title="facestream top"))
    path.write_text(picture, encoding="utf-8")
