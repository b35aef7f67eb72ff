"""What is in native code now, noted in a file that outlives the process.

A decoder or a model that crashes takes the process with it; the supervisor reads the notes then
and knows the suspects. An event that was there at a death before is run alone, so that the next
death, if it comes, has but one suspect.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from stream.event import Position

SUFFIX = ".notes"
_SLOT_BYTES = 512
_SLOTS = 64
_EMPTY = b"\0" * _SLOT_BYTES


class CrashNotes:
    """Notes of one process, written by any of its threads.

    Into mapped memory, which outlives the process as the file: a system call would give the
    interpreter's lock away, six times an event.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gate = _Gate()
        self._lock = threading.Lock()
        self._free = list(range(_SLOTS))
        self._file = -1
        self._notes = mmap.mmap(-1, _SLOTS * _SLOT_BYTES)

    def __enter__(self) -> Self:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the process ends
        os.posix_fallocate(self._file, 0, _SLOTS * _SLOT_BYTES)  # a full disk says so here, once
        self._notes = mmap.mmap(self._file, _SLOTS * _SLOT_BYTES)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._notes.close()
        os.close(self._file)

    @contextmanager
    def noted(self, position: Position, *, alone: bool = False) -> Iterator[None]:
        """Around a call into native code. `alone`: no other is in native code meanwhile."""
        with self._gate.alone() if alone else self._gate.among_others():
            note = orjson.dumps(tuple(position)).ljust(_SLOT_BYTES, b"\0")
            with self._lock:
                slot = self._free.pop()
            place = slice(slot * _SLOT_BYTES, (slot + 1) * _SLOT_BYTES)
            self._notes[place] = note
            try:
                yield
            finally:
                self._notes[place] = _EMPTY
                with self._lock:
                    self._free.append(slot)


def read_notes(path: Path) -> list[Position]:
    """What was noted when the process died; empty where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    slots = (content[start : start + _SLOT_BYTES] for start in range(0, len(content), _SLOT_BYTES))
    return [Position(*orjson.loads(note)) for slot in slots if (note := slot.rstrip(b"\0"))]


def left_behind(folder: Path) -> Iterator[tuple[Path, list[Position]]]:
    """Files of processes that have ended, and what each noted: a host died as a whole."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its process lives, under another supervisor
            yield path, read_notes(path)


class _Gate:
    """Many at once, or one alone; who wants to be alone is let in before more of the many."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._alone = False
        self._waiting_alone = 0

    @contextmanager
    def among_others(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._alone and not self._waiting_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:
            self._waiting_alone += 1
            self._condition.wait_for(lambda: not self._alone and not self._inside)
            self._waiting_alone -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()
