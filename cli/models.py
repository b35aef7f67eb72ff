"""`facestream models`: the packs on this machine."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from stream.models import weights
from stream.models.catalogue import FoundPack, ModelFile, found
from stream.models.settings import ModelSettings


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--download", is_flag=True, help="First download what the settings ask for.")
def command(*, as_json: bool, download: bool) -> None:
    """List the model packs on this machine: files, hashes, licence."""
    settings = ModelSettings()
    if download:
        weights.ensure(settings)
    packs = found(settings)
    if as_json:
        click.echo(orjson.dumps([_document(pack) for pack in packs], option=orjson.OPT_INDENT_2))
        return
    console = Console(highlight=False)
    for pack in packs:
        mark = "●" if pack.in_use else "○"
        console.print(f"{mark} [bold]{pack.name}[/] · {pack.licence} · {pack.path}", soft_wrap=True)
        console.print(_table(pack))
    if not any(pack.name == settings.model_pack for pack in packs):
        console.print(f"{settings.model_pack} is asked for and not here: a worker downloads it")
    console.print("● in use with these settings · whole hashes: --json")


def _document(pack: FoundPack) -> dict[str, object]:
    return asdict(pack) | {"path": str(pack.path)}


def _table(pack: FoundPack) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("task", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("sha256", no_wrap=True)
    table.add_column("official", no_wrap=True)
    for file in pack.files:
        size_mb = f"{file.size_bytes / 1e6:.1f}"
        table.add_row(file.name, file.task, size_mb, file.sha256[:8], _official(file))
    return table


def _official(file: ModelFile) -> str:
    if file.official is None:
        return ""
    return "yes" if file.official else "[yellow]other bytes"
