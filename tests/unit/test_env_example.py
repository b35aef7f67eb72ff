"""`.env.example` names every setting, with its default and a line of explanation, and no other."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cli.publishing import PublishSettings
from http_edge.settings import EdgeSettings
from stream.io.kafka import KafkaSettings
from stream.models.settings import ModelSettings
from stream.settings import WorkerSettings

_LINES = (Path(__file__).parents[2] / ".env.example").read_text().splitlines()
_SHOWN = {
    found["name"]: found["value"]
    for line in _LINES
    if (found := re.fullmatch(r"#(?P<name>[A-Z0-9_]+)=(?P<value>.*)", line))
}

#: what docker-compose.yml alone reads
_OF_COMPOSE = {"S3_ACCESS_KEY", "S3_SECRET_KEY", "GRAFANA_PASSWORD", "BAKED_MODEL_PACK"}

_KINDS: tuple[type[BaseSettings], ...] = (WorkerSettings, PublishSettings, EdgeSettings)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _SHOWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("API_KEY", "without-a-default")


def test_it_names_every_setting_and_no_other() -> None:
    fields = {name for kind in _KINDS for name in kind.model_fields}
    assert set(_SHOWN) == {name.upper() for name in fields} | _OF_COMPOSE


@pytest.mark.parametrize("kind", _KINDS)
def test_what_it_shows_are_the_defaults(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = kind()
    for name, value in _SHOWN.items():
        if value:
            monkeypatch.setenv(name, value)
    assert kind() == defaults


@pytest.mark.parametrize("kind", [*_KINDS, KafkaSettings, ModelSettings])
def test_a_variable_that_is_empty_counts_as_not_set(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = kind()
    for name in _SHOWN.keys() - {"API_KEY"}:
        monkeypatch.setenv(name, "")
    assert kind() == defaults


def test_each_group_of_settings_is_explained() -> None:
    for before, line in itertools.pairwise(_LINES):
        if re.match(r"#[A-Z0-9_]+=", line):
            assert before.startswith("#"), f"nothing explains {line}"
