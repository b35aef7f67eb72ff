"""What a supervisor takes for a worker. The first word of `--behave` says what it does first,
the second what it does when it is started again, and so on; the last one stays.

It appends to `--diary`, a line each: its id and "started", "terminated" or "orphaned"; after
"started" "as" and its stable id, where it has one; before, "keeps to" its own processors.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--behave", required=True)
    parser.add_argument("--diary", required=True, type=Path)
    parser.add_argument("--id", required=True)
    parser.add_argument("--notes", required=True)
    parser.add_argument("--instance-id")
    parser.add_argument("--processors", nargs="*")
    given = parser.parse_args()

    def note(what: str) -> None:
        with given.diary.open("a") as diary:
            diary.write(f"{given.id} {what}\n")

    def orphaned() -> None:
        sys.stdin.read()
        note("orphaned")
        os._exit(0)

    def terminated(*_: object) -> None:
        note("terminated")
        os._exit(0)

    started = given.diary.read_text().count(f"{given.id} started") if given.diary.exists() else 0
    words = given.behave.split(",")
    behaviour = words[min(started, len(words) - 1)]
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, terminated)
    threading.Thread(target=orphaned, daemon=True).start()
    if given.processors:
        note(f"keeps to {' '.join(given.processors)}")
    note(f"started as {given.instance_id}" if given.instance_id else "started")
    behave(behaviour)


def behave(behaviour: str) -> None:
    if behaviour.isdecimal():
        os._exit(int(behaviour))
    if behaviour == "damaged":
        say(json.dumps({"state": "failed", "step_age_s": 0, "message": "a.onnx is damaged"}))
        os._exit(3)
    if behaviour == "slow":
        time.sleep(0.3)
    if behaviour == "chatty":
        say("words of a library")
        say("x" * 200_000)
    step_age_s = 1000.0 if behaviour == "hangs" else 0.0
    partitions = None if behaviour == "idle" else 4
    while True:
        beat = {"state": "running", "partitions": partitions, "step_age_s": step_age_s}
        say(json.dumps(beat))
        if behaviour == "silent":
            time.sleep(60)
        time.sleep(0.02)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
