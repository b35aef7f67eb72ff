"""`publish` finds the broker of a running `up`, and never that of one that is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from cli.running import RunningBroker, announce, default_path, find, settings_of

BROKER = RunningBroker(
    bootstrap_servers="127.0.0.1:19092",
    embedded=True,
    topic_prefix="face.",
    blob_store_url="s3://bucket/blobs",
)


def test_nothing_is_found_where_nothing_was_announced(tmp_path: Path) -> None:
    assert find(tmp_path / "up.json") is None


def test_it_is_found_while_announced_and_not_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "up.json"
    with announce(BROKER, path):
        assert find(path) == BROKER
        assert path.stat().st_mode & 0o077 == 0
    assert find(path) is None
    assert list(path.parent.iterdir()) == []


def _announce_for_ever(path: Path) -> None:
    with announce(BROKER, path):
        time.sleep(60)


def test_the_file_of_a_killed_process_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    other = multiprocessing.get_context("spawn").Process(target=_announce_for_ever, args=(path,))
    other.start()
    try:
        deadline = time.monotonic() + 30
        while find(path) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert find(path) == BROKER
    finally:
        assert other.pid is not None
        os.kill(other.pid, signal.SIGKILL)
        other.join()
    assert path.exists()
    assert find(path) is None


def test_the_newest_counts_and_an_older_ones_end_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    newer = RunningBroker("127.0.0.1:2", embedded=False, topic_prefix="x.", blob_store_url="s3://b")
    older_ends = announce(BROKER, path)
    older_ends.__enter__()
    with announce(newer, path):
        older_ends.__exit__(None, None, None)
        assert find(path) == newer


def test_a_blob_folder_is_told_as_seen_from_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    broker = RunningBroker("h:1", embedded=True, topic_prefix="", blob_store_url="./blobs")
    with announce(broker, path):
        found = find(path)
    assert found is not None
    assert found.blob_store_url == str(Path("blobs").resolve())


def test_damaged_files_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    with announce(BROKER, path):
        path.write_text("{}")
        assert find(path) is None


def test_what_the_environment_says_wins() -> None:
    environ = {"TOPIC_PREFIX": "mine.", "BLOB_STORE_URL": ""}
    told = settings_of(BROKER, environ)
    assert "topic_prefix" not in told
    assert told["kafka_bootstrap_servers"] == "127.0.0.1:19092"
    assert told["blob_store_url"] == "s3://bucket/blobs"


def test_the_same_broker_named_in_the_environment_is_known_as_embedded() -> None:
    told = settings_of(BROKER, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:19092"})
    assert told["kafka_embedded"] is True


def test_another_broker_in_the_environment_leaves_the_running_one_alone() -> None:
    assert settings_of(BROKER, {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}) == {}
    assert settings_of(None, {}) == {}


def test_a_folder_that_cannot_be_written_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with announce(BROKER, tmp_path / "file" / "up.json"):
        assert "KAFKA_BOOTSTRAP_SERVERS" in caplog.text


def test_the_default_place_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert default_path().parent.name == "facestream"
