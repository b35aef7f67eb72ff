"""What every test of a fault is given: the row that it adds to the table, and how long it may be.

async def test_…(apache_kafka, fault_row, soak):
    …
    fault_row(FaultOutcome(6, "object store down for 10 s", events=500, …))
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import table
from tests.faults.outcome import FaultOutcome
from tests.soak import SOAK

_ROWS = pytest.StashKey[list[FaultOutcome]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the faults are shown at their full length, else shorter."""
    return SOAK


@pytest.fixture
def fault_row(pytestconfig: pytest.Config) -> Callable[[FaultOutcome], None]:
    """Adds a row to the table. Called before what is asserted of it, so that a failure shows."""
    return pytestconfig.stash[_ROWS].append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash[_ROWS]
    if not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write(table.markdown(rows))
    if SOAK:
        table.save(rows)
