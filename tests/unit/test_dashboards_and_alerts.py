"""Dashboards draw and alerts ask for what is really exposed, and a person can read them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_lines import check_command
from tests.dashboards import DASHBOARDS, dashboard, expressions, panels, variables
from tests.promql import exposed, read

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
JOBS = {
    job["job_name"]
    for job in yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
}
EXPOSED = exposed()
#: what each dashboard must show, at least: of a histogram its buckets, of the rest all
_OURS = {
    name
    for name in EXPOSED
    if name.startswith("facestream_") and not name.endswith(("_created", "_sum", "_count"))
}
_OF_EDGE = {name for name in _OURS if name.startswith("facestream_edge_")}
_WATCHED = {
    "stream.json": _OURS - _OF_EDGE | {"process_resident_memory_bytes"},
    "edge.json": _OF_EDGE | {"process_resident_memory_bytes"},
}


def check_query(expression: str) -> set[str]:
    """The names of what it selects. Raises `AssertionError` for what nobody exposes."""
    query = read(expression)
    for name, by in query.selected.items():
        assert name in EXPOSED, f"nobody exposes {name}: {expression}"
        assert {label for label, _ in by} <= EXPOSED[name], (
            f"{name} has no such label: {expression}"
        )
        jobs = {value for label, value in by if label == "job"}
        assert jobs <= JOBS, f"no such job: {expression}"
    known = frozenset[str]().union(*(EXPOSED[name] for name in query.selected))
    assert query.grouped <= known, f"grouped by a label that is not there: {expression}"
    return set(query.selected)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_draws_only_what_is_exposed_and_all_that_is_to_be_watched(path: Path) -> None:
    drawn: set[str] = set()
    for expression in expressions(path):
        assert "$" not in expression, expression
        drawn |= check_query(expression)
    assert drawn >= _WATCHED[path.name]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_names_its_source_by_a_variable_and_its_choices_exist(path: Path) -> None:
    assert variables(path)["datasource"]["type"] == "datasource"
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(path):
        assert panel["datasource"] == source
        assert all(target["datasource"] == source for target in panel["targets"])
    for variable in variables(path).values():
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert asked is not None
            assert asked[2] in EXPOSED[asked[1]]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_every_panel_has_a_title_an_explanation_a_unit_and_a_legend(path: Path) -> None:
    titles = [panel["title"] for panel in panels(path)]
    assert all(titles)
    for panel in panels(path):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        shown = {
            label for t in panel["targets"] for label in re.findall(r"{{(\w+)}}", t["legendFormat"])
        }
        names = {name for asked in expressions(path, panel) for name in read(asked).selected}
        known = frozenset[str]().union(*(EXPOSED[name] for name in names))
        assert shown <= known, panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_no_panel_lies_over_another_or_beyond_the_grid(path: Path) -> None:
    everything = dashboard(path)["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in everything]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_dashboards_have_names_of_their_own() -> None:
    documents = [dashboard(path) for path in DASHBOARDS]
    assert {path.name for path in DASHBOARDS} == set(_WATCHED)
    assert len({document["uid"] for document in documents}) == len(documents)
    assert all(document["schemaVersion"] >= 39 for document in documents)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_exposed_and_says_what_to_do(rule: dict[str, Any]) -> None:
    selected = check_query(rule["expr"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description"}
    known = frozenset[str]().union(*(EXPOSED[name] for name in selected))
    for text in annotations.values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= known
        for command in re.findall(r"`facestream ([^`]+)`", text):
            check_command(command)


def test_what_pages_a_person_is_there() -> None:
    paging = {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "page"}
    assert paging >= {
        "FacestreamNoWorkerHeard",
        "FacestreamLagGrows",
        "FacestreamRejectionsRise",
        "FacestreamRepliesLate",
    }


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("sum(facestream_nothing_total)", "nobody exposes"),
        ('facestream_worker_up{lane="bulk"}', "no such label"),
        ('up{job="nobody"}', "no such job"),
        ("sum by (lane) (facestream_worker_up)", "grouped by a label"),
        ("deriv(sum by (lane) (facestream_worker_up)[15m:1m])", "grouped by a label"),
    ],
)
def test_a_query_for_what_is_not_there_is_noticed(expression: str, wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        check_query(expression)


def test_what_is_no_query_is_noticed() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        read("sum(rate(facestream_events_total[5m])")
