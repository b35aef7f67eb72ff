"""Keys: every one is compared in constant time, whichever fits and whatever is given."""

from __future__ import annotations

import hmac
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from http_edge import auth
from http_edge.auth import Keys
from http_edge.errors import Unauthorized

KEYS = ("first", "second-and-longer", "third")


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """What was compared, and by nothing but `hmac.compare_digest`."""
    seen: list[tuple[bytes, bytes]] = []

    def compare_digest(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(auth, "hmac", SimpleNamespace(compare_digest=compare_digest))
    return seen


@pytest.mark.parametrize("number", range(len(KEYS)))
def test_each_key_is_known_by_its_number_and_all_are_compared(
    compared: list[tuple[bytes, bytes]], number: int
) -> None:
    assert _keys().admit(f"Bearer {KEYS[number]}") == number
    assert len(compared) == len(KEYS)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer firs", "Bearer firstx", "Basic first", "first", "Bearer " * 100],
)
def test_who_has_none_costs_as_many_comparisons(
    compared: list[tuple[bytes, bytes]], authorization: str | None
) -> None:
    with pytest.raises(Unauthorized):
        _keys().admit(authorization)
    assert len(compared) == len(KEYS)


def test_what_is_compared_has_one_length_whatever_the_keys_have(
    compared: list[tuple[bytes, bytes]],
) -> None:
    with pytest.raises(Unauthorized):
        _keys().admit("Bearer x")
    assert {len(value) for pair in compared for value in pair} == {32}


def test_keys_are_not_kept_in_clear() -> None:
    assert not any(key in repr(vars(_keys())) for key in KEYS)


def _keys() -> Keys:
    return Keys([SecretStr(key) for key in KEYS])
