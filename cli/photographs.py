"""What `publish` was pointed at → photographs: files, folders, globs and addresses."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

#: what is taken from a folder: the formats that a worker decodes. Named files are taken as they are
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"})
_ADDRESS = re.compile(r"(?i)(https?|s3|gs|az|file)://")
_OTHER_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class NoPhotographs(ValueError):
    """An argument leads to nothing that can be published; the message names it."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image to publish. `path` for a file here, `uri` for an address; exactly one of them."""

    #: for people: below the folder that was named, else the file's own name
    name: str
    path: Path | None = None
    uri: str | None = None

    @property
    def folder(self) -> str:
        """The name of the folder it lies in; empty at the top of a bucket or a host."""
        if self.path is not None:
            return _text(self.path.absolute().parent.name)
        return _segments(self.uri or "")[-2]

    @property
    def file_name(self) -> str:
        if self.path is not None:
            return _text(self.path.name)
        return _segments(self.uri or "")[-1]


def find(arguments: Iterable[str]) -> Iterator[Photograph]:
    """The photographs of all arguments, one at a time, folders in the order of their names.

    Raises `NoPhotographs` where one has none.
    """
    for argument in arguments:
        empty = True
        for photograph in _of(argument):
            empty = False
            yield photograph
        if empty:
            raise NoPhotographs(f"{_text(argument)}: no photographs there")


def _of(argument: str) -> Iterator[Photograph]:
    if _ADDRESS.match(argument):
        yield Photograph(name=_without_secrets(argument), uri=argument)
        return
    if _OTHER_ADDRESS.match(argument):
        raise NoPhotographs(f"{argument.partition('://')[0]}:// is not read: http(s), s3, gs, az")
    path = Path(argument).expanduser()
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield Photograph(name=_text(path.name), path=path)
    elif glob.has_magic(argument):
        matches = glob.iglob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute
        for match in sorted(matches):
            if Path(match).is_dir():
                continue
            yield Photograph(name=_text(Path(match).name), path=Path(match))
    else:
        raise NoPhotographs(f"{_text(argument)}: there is no such file")


def _in_folder(folder: Path) -> Iterator[Photograph]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Photograph(name=_text(path.relative_to(folder).as_posix()), path=path)


def _without_secrets(uri: str) -> str:
    from stream.io.sources import public_uri

    return public_uri(uri)


def _segments(uri: str) -> list[str]:
    """At least two; without the host or the bucket."""
    _, _, rest = _without_secrets(uri).partition("://")
    return ["", *(unquote(part) for part in rest.split("/")[1:])] if "/" in rest else ["", ""]


def _text(name: str | Path) -> str:
    """A file's name as text: bytes that are no UTF-8 become replacement characters."""
    return os.fsencode(name).decode("utf-8", "replace")
