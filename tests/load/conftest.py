"""How much load, whole or shorter, and the report of what it did."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from tests.load.events import Mixture
from tests.load.report import PLOT, Report, draw
from tests.soak import SOAK

_REPORT = pytest.StashKey[Report]()


@dataclass(frozen=True, slots=True)
class Extent:
    """SOAK_EVENTS and SOAK_FLOOD_S in the environment change it, for a first look."""

    events: int
    flood_s: float


@pytest.fixture(scope="session")
def extent() -> Extent:
    events, flood_s = ("50000", "600") if SOAK else ("3000", "15")
    return Extent(
        int(os.environ.get("SOAK_EVENTS", events)),
        float(os.environ.get("SOAK_FLOOD_S", flood_s)),
    )


@pytest.fixture(scope="session")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Mixture:
    return Mixture(tmp_path_factory.mktemp("images"))


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """Filled before what is asserted of it, so that a failure shows."""
    return pytestconfig.stash[_REPORT]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[_REPORT]
    if not report.memory:
        return
    terminalreporter.section("load")
    terminalreporter.write(report.text())
    if SOAK:
        draw(report)
        terminalreporter.write_line(f"drawn: {PLOT}")
