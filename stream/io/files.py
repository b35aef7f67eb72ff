"""Files below the allowed folders: read without following anything out of them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import ImageForbidden, ImageNotFound, ImageTooLarge, ImageUnavailable

_PIECE_BYTES = 1024 * 1024
#: opening a folder for passage alone needs no right to list it, where the system has O_PATH
_PASSAGE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: O_NONBLOCK: opening a named pipe would wait for its writer
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EILSEQ}


def read_file(path: str, folders: Sequence[str], *, shown: str, max_bytes: int) -> bytes:
    """The bytes of a regular file whose real path lies below the real path of a folder.

    `shown` names it in errors. Raises `ImageForbidden` outside the folders, whether or not
    something is there, `ImageNotFound`, `ImageTooLarge`, `ImageUnavailable`. Blocks.
    """
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
        raise ImageForbidden(f"{shown} is not allowed by IMAGE_SOURCES")
    try:
        descriptor = _open_real(real)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ImageNotFound(f"{shown} is no regular file")
            if status.st_size > max_bytes:
                raise ImageTooLarge(f"{shown} has {status.st_size} bytes; the limit is {max_bytes}")
            if status.st_size == 0:
                # So say the files that the kernel makes up as they are read, in /proc for one.
                return b""
            return _read_up_to(descriptor, max_bytes, shown)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _explained(error, shown) from None


def _open_real(real: Path) -> int:
    """A file descriptor. Folder by folder, so that a link put there since leads nowhere."""
    parent = os.open(real.anchor, _PASSAGE)
    try:
        for name in real.parts[1:-1]:
            child = os.open(name, _PASSAGE, dir_fd=parent)
            os.close(parent)
            parent = child
        return os.open(real.name or ".", _READ, dir_fd=parent)
    finally:
        os.close(parent)


def _read_up_to(descriptor: int, max_bytes: int, shown: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := os.read(descriptor, _PIECE_BYTES):
        size += len(piece)
        if size > max_bytes:
            raise ImageTooLarge(f"{shown} grew beyond the limit of {max_bytes} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _explained(error: OSError, shown: str) -> ImageNotFound | ImageForbidden | ImageUnavailable:
    if error.errno in _ABSENT:
        return ImageNotFound(f"{shown} does not exist")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ImageForbidden(f"{shown} may not be read by the worker")
    return ImageUnavailable(f"{shown} cannot be read: {os.strerror(error.errno or errno.EIO)}")
