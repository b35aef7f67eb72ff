"""One `facestream up` for all tests that only call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_up import RunningUp, running_up


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[RunningUp]:
    with running_up(tmp_path_factory.mktemp("up"), shared) as running:
        yield running
