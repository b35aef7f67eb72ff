"""Grafana's dashboards as files: their panels, variables and queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DASHBOARDS = sorted((Path(__file__).parents[1] / "deploy/grafana/dashboards").glob("*.json"))
#: Grafana's own variables, as it fills them in
_FILLED_IN = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


def dashboard(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def panels(path: Path) -> list[dict[str, Any]]:
    """Those that draw."""
    return [panel for panel in dashboard(path)["panels"] if panel["type"] != "row"]


def variables(path: Path) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in dashboard(path)["templating"]["list"]}


def expressions(path: Path, *of: dict[str, Any]) -> list[str]:
    """What these panels ask, or all of them, with Grafana's variables filled in."""
    asked = [target["expr"] for panel in of or panels(path) for target in panel["targets"]]
    values = _FILLED_IN | {f"${name}": ".*" for name in variables(path)}
    for name, value in values.items():
        asked = [expression.replace(name, value) for expression in asked]
    return asked
