"""By how much memory grew: large images that come and go are no growth, a leak is one."""

from __future__ import annotations

import random

import pytest

from tests.load.memory import growth


def _flat() -> list[float]:
    """200 samples: a start that climbs to 300 MiB, then small changes, a spike in each tenth."""
    chance = random.Random(1)
    warm = [150.0 + 3 * number for number in range(50)]
    flat = [300 + chance.uniform(-3, 3) + 90 * (chance.random() < 0.1) for _ in range(150)]
    return warm + flat


def test_warming_up_and_spikes_are_no_growth() -> None:
    assert abs(growth(_flat())) < 0.01


def test_a_leak_of_a_tenth_is_seen() -> None:
    leaking = [mib + number * 45 / 200 for number, mib in enumerate(_flat())]
    assert growth(leaking) > 0.05


def test_what_is_given_back_is_negative() -> None:
    assert growth(_flat()[::-1][:150] + [200.0] * 50) < -0.1


def test_too_few_samples_are_no_claim() -> None:
    with pytest.raises(AssertionError, match="say nothing"):
        growth([300.0] * 15)
