"""`facestream`: the group of commands, each imported when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

import click

from cli.failures import explain

#: in the order in which somebody new needs them: the module, and the line that `--help` shows
COMMANDS = {
    "demo": "the main job on sample photographs, in one go",
    "up": "workers and the HTTP API, and the embedded broker unless another is named",
    "publish": "photographs in: publish them as requests",
    "consume": "faces out: follow a result topic, or write it to a file",
    "top": "what goes on: workers, lag, images a second, stages, dead letters",
    "rejected": "dead letters: list them, look into one, send them again",
    "worker": "the worker processes of this host",
    "edge": "the HTTP API in front of the stream",
    "health": "whether this host's workers or edge are well, by exit code",
    "topics": "create or check the topics on a real cluster",
    "models": "the packs of models: files, hashes, licence",
    "landmarks": "the 106 landmarks and the 68 picked from them, drawn on a face",
    "schemas": "the contract: JSON Schemas and AsyncAPI",
    "bench": "stream and edge beside a bare loop and an afternoon's work",
}


class LazyGroup(click.Group):
    """Shows its list without importing a command, and imports the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click gives it
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click gives it
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """An error that has a known cause ends as one line, unless `--debug` asks for all."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            failure = None if ctx.params.get("debug") else explain(error)
            if failure is None:
                raise
            raise failure from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="facestream", prog_name="facestream")
@click.option("--debug", is_flag=True, envvar="DEBUG", help="Show tracebacks; also DEBUG=true.")
def cli(debug: bool) -> None:
    """Images in, faces out: photographs as events through Kafka.

    Settings come from the environment; .env.example lists them.
    """
    del debug  # LazyGroup looks at it where errors end


def main() -> None:
    """The console script. Exit codes: 0, 1 it did not work, 2 it was asked for wrongly."""
    cli(prog_name="facestream")


if __name__ == "__main__":
    main()
