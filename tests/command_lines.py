"""Command lines of `facestream` that stand in texts and files: whether they would be understood."""

from __future__ import annotations

import shlex

import click

from cli.main import cli


def check_command(line: str) -> None:
    """Follow a line from group to command. Raises `AssertionError` where it names what is not."""
    command: click.Command = cli
    context = click.Context(cli)
    for word in shlex.split(line, comments=True):
        if word.startswith("-"):
            known = {name for option in command.params for name in option.opts}
            assert word.partition("=")[0] in {*known, "--help"}, f"{line}: {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            assert found is not None, f"{line}: {word}"
            command = found
