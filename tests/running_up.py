"""`facestream up` as a user starts it, for tests that only call it, or look on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.apache_kafka import die_with_parent

_READY = re.compile(r"Ready: (?P<url>http://\S+)/docs")
_START_TIMEOUT_S = 90
_STOP_TIMEOUT_S = 20
KEY = "a-key-of-the-tests"


@dataclass(frozen=True, slots=True)
class RunningUp:
    """`url` is like `http://localhost:41234`; the process `pid` has all others as children."""

    url: str
    key: str
    pid: int


@contextmanager
def running_up(folder: Path, shared: Path) -> Iterator[RunningUp]:
    """One worker with buffalo_s and an edge on a free port, on the embedded broker."""
    environ = {**weights_of(shared), "MAX_WORKERS": "1"}
    with started_up(folder, environ) as running:
        yield running


def weights_of(shared: Path) -> dict[str, str]:
    """The environment of real models."""
    return {
        "MODEL_PACK": "buffalo_s",
        "MODEL_ROOT": str(shared / "models" / "insightface"),
        "DEEPFACE_HOME": str(shared / "models" / "deepface"),
    }


@contextmanager
def started_up(folder: Path, environ: Mapping[str, str]) -> Iterator[RunningUp]:
    """Workers and an edge on a free port; on the embedded broker where `environ` names no other.

    Its blobs and its log are in `folder`.
    """
    whole = os.environ | {
        "API_KEY": KEY,
        "BLOB_STORE_URL": str(folder / "blobs"),
        "XDG_RUNTIME_DIR": str(folder),
    }
    whole.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    whole.update(environ)
    with (
        (folder / "up.log").open("wb") as log,
        subprocess.Popen(
            (sys.executable, "-m", "cli.main", "up", "--port", "0"),
            env=whole,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread of ours holds a lock it takes
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        late = threading.Timer(_START_TIMEOUT_S, process.kill)
        late.start()
        try:
            url = _url_said_by(process, folder / "up.log")
            late.cancel()
            # a pipe that nobody empties would stop the edge at its next line of log
            threading.Thread(target=_empty, args=(process,), daemon=True).start()
            yield RunningUp(url, KEY, process.pid)
        finally:
            late.cancel()
            _stop(process)


def _url_said_by(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _READY.match(line):
            return found["url"]
    raise AssertionError(f"`facestream up` was not ready in time:\n{log.read_text()}")


def _empty(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for _ in process.stdout:
        pass


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
