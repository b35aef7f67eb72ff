"""Files below the allowed folders: read without following anything out of them."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from schemas.errors import ImageForbidden, ImageNotFound, ImageTooLarge, ImageUnavailable
from stream.io.thread_names import name_thread

_THREADS = 8
_PIECE_BYTES = 1024 * 1024
#: finds what a path leads to, and opens nothing: a named pipe's writer is not waited for
_FIND = os.O_PATH | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EILSEQ}


class FileReader:
    """Reads files in threads of its own: a folder on a network that hangs delays no others."""

    def __init__(self, name: str) -> None:
        """name: the threads'; none is started before there is something to read."""
        self._threads = ThreadPoolExecutor(
            _THREADS, name, initializer=name_thread, initargs=(name,)
        )

    async def read(self, path: str, folders: Sequence[str], *, shown: str, max_bytes: int) -> bytes:
        """What `read_file` returns and raises."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(read_file, path, folders, shown=shown, max_bytes=max_bytes)
        )

    def close(self) -> None:
        """What is being read is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def read_file(path: str, folders: Sequence[str], *, shown: str, max_bytes: int) -> bytes:
    """The bytes of a regular file whose real path lies below the real path of a folder.

    `shown` names it in errors. Raises `ImageForbidden` outside the folders, whether or not
    something is there, `ImageNotFound`, `ImageTooLarge`, `ImageUnavailable`. Blocks.
    """
    try:
        found = os.open(path, _FIND)
    except OSError as error:
        _demand_below(os.path.realpath(path), folders, shown)
        raise _explained(error, shown) from None
    try:
        # What is judged and what is read is one and the same, whatever becomes of the path.
        itself = f"/proc/self/fd/{found}"
        _demand_below(os.readlink(itself), folders, shown)  # noqa: PTH115 - as os.open
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            raise ImageNotFound(f"{shown} is no regular file")
        if status.st_size > max_bytes:
            raise ImageTooLarge(f"{shown} has {status.st_size} bytes; the limit is {max_bytes}")
        if status.st_size == 0:
            # So say the files that the kernel makes up as they are read, in /proc for one.
            return b""
        descriptor = os.open(itself, _READ)
        try:
            return _read_up_to(descriptor, status.st_size, max_bytes, shown)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _explained(error, shown) from None
    finally:
        os.close(found)


def _demand_below(real: str, folders: Sequence[str], shown: str) -> None:
    # What a real path lies below is real itself; resolving it asks the disk for each of its parts.
    if any(_is_below(real, folder) for folder in folders):
        return
    if any(_is_below(real, os.path.realpath(folder)) for folder in folders):
        return
    raise ImageForbidden(f"{shown} is not allowed by IMAGE_SOURCES")


def _is_below(real: str, folder: str) -> bool:
    return real == folder or real.startswith(folder.rstrip("/") + "/")


def _read_up_to(descriptor: int, expected_bytes: int, max_bytes: int, shown: str) -> bytes:
    """Of a file that has not changed in one call: each gives the interpreter's lock away."""
    pieces: list[bytes] = []
    wanted, size = expected_bytes + 1, 0
    while size != expected_bytes and (piece := os.read(descriptor, wanted)):
        size += len(piece)
        if size > max_bytes:
            raise ImageTooLarge(f"{shown} grew beyond the limit of {max_bytes} bytes")
        pieces.append(piece)
        wanted = _PIECE_BYTES
    return b"".join(pieces)


def _explained(error: OSError, shown: str) -> ImageNotFound | ImageForbidden | ImageUnavailable:
    if error.errno in _ABSENT:
        return ImageNotFound(f"{shown} does not exist")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ImageForbidden(f"{shown} may not be read by the worker")
    return ImageUnavailable(f"{shown} cannot be read: {os.strerror(error.errno or errno.EIO)}")
