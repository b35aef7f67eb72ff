"""A process that decodes what it is sent, with little memory to do it in; run by its path.

`DecodingChild` is its other end: one image at a time, and what came of each.
"""

from __future__ import annotations

import json
import re
import resource
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.errors import FacestreamError
from stream.images import decode

MAX_PIXELS = 50_000_000
#: address space beside what the libraries took at their import
MEMORY_BYTES = 1024**3
#: an image that takes longer is one that never ends
_NEVER_S = 60.0


@dataclass(frozen=True, slots=True)
class Settled:
    """`code`: `ok` or an error's; `cpu_s`: of the process, for the machine may be busy."""

    code: str
    message: str
    cpu_s: float
    #: resident, the highest so far
    peak_bytes: int


class DecodingChild:
    """`with DecodingChild() as child: child.decode(data)`. Raises AssertionError if it dies."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.security.decoding_child"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def decode(self, data: bytes) -> Settled:
        """What came of one image."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(struct.pack("<I", len(data)) + data)
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _NEVER_S)
        assert ready, f"not decoded within {_NEVER_S:g} s"
        line = self._process.stdout.readline()
        assert line, f"the process died: {self._process.wait()}"
        return Settled(**json.loads(line))


def _serve() -> None:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY_BYTES,) * 2)
    while head := sys.stdin.buffer.read(4):
        data = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
        started_at = time.process_time()
        code, message = _outcome(data)
        settled = {
            "code": code,
            "message": message,
            "cpu_s": time.process_time() - started_at,
            "peak_bytes": _peak_bytes(),
        }
        sys.stdout.write(json.dumps(settled) + "\n")
        sys.stdout.flush()


def _peak_bytes() -> int:
    """Not by `getrusage`, which begins with what the process had that started this one."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def _outcome(data: bytes) -> tuple[str, str]:
    try:
        height, width, _ = decode(data, MAX_PIXELS).shape
    except FacestreamError as error:
        return error.code, str(error)
    except BaseException as error:  # noqa: BLE001 - that there is none is what is tested
        return "not settled", repr(error)
    return "ok", f"{width}×{height}"


if __name__ == "__main__":
    _serve()
