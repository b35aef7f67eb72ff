"""What was in native code is known after a death, and a suspect runs alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stream.crash_notes import CrashNotes, left_behind, read_notes
from stream.event import Position

A = Position("face.images", 3, 41)
B = Position("face.images", 7, 1)


def test_only_what_is_inside_now_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with CrashNotes(path) as notes:
        with notes.noted(A):
            with notes.noted(B):
                assert sorted(read_notes(path)) == [A, B]
            assert read_notes(path) == [A]
        assert read_notes(path) == []


def test_there_is_nothing_to_read_where_no_process_wrote(tmp_path: Path) -> None:
    assert read_notes(tmp_path / "notes") == []


def test_a_note_outlives_the_process_that_crashes(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    script = (
        "import os, pathlib, sys\n"
        "from stream.crash_notes import CrashNotes\n"
        "from stream.event import Position\n"
        "with CrashNotes(pathlib.Path(sys.argv[1])) as notes:\n"
        "    with notes.noted(Position('face.images', 3, 41)):\n"
        "        os.kill(os.getpid(), 11)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONFAULTHANDLER": ""},
        check=False,
    )
    assert ended.returncode == -signal.SIGSEGV
    assert read_notes(path) == [A]


def test_notes_of_the_dead_are_found_and_those_of_the_living_are_theirs(tmp_path: Path) -> None:
    (tmp_path / "dead.notes").write_bytes(b'["face.images",3,41]'.ljust(512, b"\0"))
    (tmp_path / "idle.notes").write_bytes(bytes(512))
    living = CrashNotes(tmp_path / "living.notes")
    with living, living.noted(B):
        found = {path.stem: suspects for path, suspects in left_behind(tmp_path)}
    assert found == {"dead": [A], "idle": []}
    assert {path.stem for path, _ in left_behind(tmp_path)} == {"dead", "idle", "living"}


def test_a_new_process_starts_with_no_notes(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b'["face.images",3,41]'.ljust(512, b"\0"))
    with CrashNotes(path):
        assert read_notes(path) == []


@pytest.mark.parametrize("others", [1, 5])
def test_a_suspect_is_in_native_code_alone(tmp_path: Path, others: int) -> None:
    path = tmp_path / "notes"
    seen: list[list[Position]] = []
    entered = threading.Barrier(others + 1)
    leave = threading.Event()

    with CrashNotes(path) as notes:

        def among_others(number: int) -> None:
            with notes.noted(Position("other", 0, number)):
                entered.wait(5)
                leave.wait(5)

        def alone() -> None:
            with notes.noted(A, alone=True):
                seen.append(read_notes(path))

        threads = [threading.Thread(target=among_others, args=(n,)) for n in range(others)]
        for thread in threads:
            thread.start()
        entered.wait(5)
        suspect = threading.Thread(target=alone)
        suspect.start()
        late = threading.Thread(target=among_others_after, args=(notes, suspect, seen))
        late.start()
        assert seen == []
        leave.set()
        for thread in [*threads, suspect, late]:
            thread.join(5)
    assert seen == [[A], [B]]


def among_others_after(
    notes: CrashNotes, suspect: threading.Thread, seen: list[list[Position]]
) -> None:
    """Comes after the suspect has asked: it is let in after it."""
    while suspect.is_alive() and not notes._gate._waiting_alone:
        pass
    with notes.noted(B):
        seen.append([B])
