"""`facestream schemas`: where the contract's files are, and writing them and their page anew."""

from __future__ import annotations

import click

from cli.failures import Failure


@click.command("schemas")
@click.option("--write", is_flag=True, help="Write them anew from the models (development).")
@click.option("--check", is_flag=True, help="Exit with 1 when one does not fit the models.")
def command(write: bool, check: bool) -> None:
    """Print where the JSON Schemas and the AsyncAPI document lie."""
    from cli import event_reference
    from schemas import generate

    if write and check:
        raise click.UsageError("--write or --check: one of them")
    try:
        if check:
            stale = generate.stale(generate.files() | event_reference.files())
            if stale:
                names = ", ".join(path.name for path in stale)
                raise Failure(f"not as the models say: {names}. `make schemas` writes them anew")
            click.echo("all as the models say")
        elif write:
            changed = generate.write(generate.files() | event_reference.files())
            click.echo("\n".join(str(path) for path in changed) or "nothing had changed")
        else:
            click.echo("\n".join(str(path) for path in generate.paths()))
    except FileNotFoundError as error:
        raise Failure(f"this is for development: {error.filename} is not there") from None
    except ModuleNotFoundError as error:
        raise Failure(f"this is for development: {error.name} is not installed") from None
