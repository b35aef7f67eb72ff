"""How fast a stream is while each worker has more to do; nothing is started here."""

from __future__ import annotations

import pytest

from benchmarks.backlog import lengthened, seconds_of


def sent_s(images: int, seconds_each: tuple[float, ...], late_s: float = 0.0) -> list[float]:
    """When results come of workers that take the images by turns, and begin so late."""
    workers = len(seconds_each)
    at = [late_s] * workers
    sent = []
    for number in lengthened(images, workers, held=16):
        worker = number % images % workers
        at[worker] += seconds_each[worker]
        sent.append(at[worker])
    return sent


def test_a_batch_is_amid_copies_of_its_own_images() -> None:
    assert lengthened(100, 2, held=16) == range(-10, 120)
    assert lengthened(32, 2, held=5) == range(-3, 38)
    assert lengthened(31, 2, held=16) == range(31)


def test_as_many_lie_behind_a_batch_as_workers_take_in_before_their_turn_or_another_batch() -> None:
    assert lengthened(300, 2, held=256) == range(-30, 556)
    assert lengthened(100, 2, held=256) == range(-10, 200)


def test_rates_of_workers_add_up_while_the_slower_would_be_waited_for() -> None:
    """500 images at 10 and at 8.3 a second, of which 250 each: 30 s with the slower's last."""
    seconds = seconds_of(500, sent_s(500, (0.1, 0.12)))
    assert seconds == pytest.approx(500 / (1 / 0.1 + 1 / 0.12), rel=0.01)


def test_a_late_beginning_does_not_count() -> None:
    assert seconds_of(64, sent_s(64, (0.01, 0.01), late_s=0.1)) == pytest.approx(0.32)


def test_it_does_not_matter_which_images_take_long() -> None:
    """Nor how many of them are copies: a batch's images are computed between two results."""
    at, sent = 0.0, []
    for number in lengthened(40, 1, held=16):
        at += 0.5 if number % 40 in {0, 1, 2, 39} else 0.01
        sent.append(at)
    assert seconds_of(40, sent) == pytest.approx(4 * 0.5 + 36 * 0.01)


def test_results_that_are_told_together_change_little() -> None:
    ticks = [round(at / 0.08 + 0.5) * 0.08 for at in sent_s(200, (0.02, 0.02))]
    assert seconds_of(200, ticks) == pytest.approx(2.0, rel=0.01)


def test_a_batch_without_copies_is_measured_to_its_last_result() -> None:
    assert seconds_of(3, [0.2, 0.5, 0.4]) == 0.5
