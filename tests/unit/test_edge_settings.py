"""The edge's settings: it refuses to start without a key, and with what cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from http_edge.settings import EdgeSettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EdgeSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_key_there_is_no_edge() -> None:
    with pytest.raises(ValidationError, match="api_key"):
        EdgeSettings()


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_a_key_that_is_empty_is_none(value: str) -> None:
    with pytest.raises(ValidationError, match="names no key"):
        EdgeSettings(api_key=value)


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EdgeSettings(api_key=value)
    assert "visible ASCII" in str(caught.value)
    assert value not in str(caught.value)


def test_several_keys_are_let_in_so_that_they_can_be_rotated() -> None:
    settings = EdgeSettings(api_key=" old-key, new-key ,")
    assert [key.get_secret_value() for key in settings.keys] == ["old-key", "new-key"]


def test_a_key_is_never_shown() -> None:
    settings = EdgeSettings(api_key="sesame,open")
    assert settings.keys
    assert "sesame" not in f"{settings!r} {settings} {settings.keys!r}"


def test_the_environment_names_them_as_the_service_before_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {
        "API_KEY": "k",
        "HOST": "127.0.0.1",
        "PORT": "9000",
        "DEBUG": "true",
        "CORS_ORIGINS": "https://a.example.com, https://b.example.com",
        "REQUEST_TIMEOUT_S": "",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = EdgeSettings()
    assert (settings.host, settings.port, settings.debug) == ("127.0.0.1", 9000, True)
    assert settings.allowed_origins == ("https://a.example.com", "https://b.example.com")
    assert settings.request_timeout_s == 30


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 65536),
        ("request_timeout_s", 0),
        ("max_in_flight", 0),
        ("rate_limit_per_minute", -1),
        ("inline_limit_bytes", 1024 * 1024 + 1),
        ("blob_ttl_s", 59),
    ],
)
def test_what_cannot_work_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=f"(?i){field}"):
        EdgeSettings.model_validate({"api_key": "k", field: value})
