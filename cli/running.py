"""What `facestream up` runs, so that `publish` and `consume` find it without being told.

A small file in the user's runtime folder, locked for as long as `up` lives: a file that nobody
holds is left over from one that was killed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import platformdirs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that workers of this machine are at work on."""

    bootstrap_servers: str
    embedded: bool
    topic_prefix: str
    blob_store_url: str


def default_path() -> Path:
    """Where `up` announces itself: in a folder of this user, on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no XDG_RUNTIME_DIR: /tmp then, which serves
        return Path(platformdirs.user_runtime_dir("facestream")) / "up.json"


@contextmanager
def announce(broker: RunningBroker, path: Path | None = None) -> Iterator[None]:
    """Let others find the broker while the block lasts. The newest announcement counts.

    Where the file cannot be written, that is logged and the block runs all the same.
    """
    path = path or default_path()
    told = replace(broker, blob_store_url=_from_anywhere(broker.blob_store_url))
    try:
        file = _write(told, path)
    except OSError as error:
        log.warning("publish and consume must be told KAFKA_BOOTSTRAP_SERVERS: %s", error)
        yield
        return
    with file:
        try:
            yield
        finally:
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                path.unlink()


def _write(broker: RunningBroker, path: Path) -> TextIO:
    """The announcement in its place, locked until the returned file is closed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    file = draft.open("w")
    try:
        draft.chmod(0o600)
        json.dump(asdict(broker), file)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        draft.replace(path)
    except BaseException:
        file.close()
        raise
    return file


def find(path: Path | None = None) -> RunningBroker | None:
    """The announced broker, if its `up` still lives and is the same user's."""
    try:
        with (path or default_path()).open() as file:
            if os.fstat(file.fileno()).st_uid != os.getuid() or not _held(file.fileno()):
                return None
            return RunningBroker(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def settings_of(running: RunningBroker | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the announced broker says that the environment does not, as fields of settings.

    Nothing where the environment names another broker.
    """
    named = environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if running is None or named not in (None, "", running.bootstrap_servers):
        return {}
    told: dict[str, Any] = {
        "kafka_bootstrap_servers": running.bootstrap_servers,
        "kafka_embedded": running.embedded,
        "topic_prefix": running.topic_prefix,
        "blob_store_url": running.blob_store_url,
    }
    return {field: value for field, value in told.items() if not environ.get(field.upper())}


def _held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _from_anywhere(blob_store_url: str) -> str:
    """A folder's name as seen from another folder."""
    if "://" in blob_store_url:
        return blob_store_url
    return str(Path(blob_store_url).expanduser().resolve())
