"""Single keys from the terminal, without waiting for them and without showing them."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Any, Self


class Keyboard:
    """`with Keyboard() as keys: keys.pressed()`. Where standard input is no terminal, no key is.

    Ctrl-C stays a signal.
    """

    def __enter__(self) -> Self:
        self._terminal: int | None = sys.stdin.fileno() if sys.stdin.isatty() else None
        if self._terminal is not None:
            self._before: list[Any] = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal is not None:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """The keys that were pressed since; mostly none."""
        if self._terminal is None or not select.select([self._terminal], [], [], 0)[0]:
            return ""
        return os.read(self._terminal, 1024).decode(errors="replace")
