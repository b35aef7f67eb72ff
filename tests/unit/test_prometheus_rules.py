"""What Prometheus' own tool says of its configuration, of the alerts and of their tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import skip_or_fail
from tests.dashboards import DASHBOARDS, expressions
from tests.promql import exposed_texts

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"


def promtool(*words: str, given: str | None = None) -> None:
    """Raises `AssertionError` with what it says."""
    tool = shutil.which("promtool")
    if tool is None:
        skip_or_fail("promtool, of Debian's package prometheus, is not installed")
    done = subprocess.run(
        [tool, *words], cwd=PROMETHEUS, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_and_its_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_what_a_dashboard_asks_is_understood_by_prometheus_itself(
    path: Path, tmp_path: Path
) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions(path))
    ]
    assert len(rules) > 10
    as_rules = tmp_path / "rules.yml"
    as_rules.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(as_rules))


@pytest.mark.parametrize("text", exposed_texts(), ids=["workers", "edge"])
def test_what_is_exposed_keeps_the_conventions(text: str) -> None:
    promtool("check", "metrics", given=text)


def test_every_alert_is_tested_to_fire() -> None:
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tested = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())
    firing = [
        wanted["expr"] + str(wanted["exp_samples"])
        for test in tested["tests"]
        for wanted in test["promql_expr_test"]
        if any(sample["value"] > 0 for sample in wanted["exp_samples"])
    ]
    assert {alert for alert in alerts if not any(alert in text for text in firing)} == set()
