"""Commands that are shown to people, run as they stand there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(script: str, folder: Path, key: str) -> str:
    """What it prints. Raises `CalledProcessError` where any part of it fails."""
    ended = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        env=os.environ | {"API_KEY": key},
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ended.stdout
