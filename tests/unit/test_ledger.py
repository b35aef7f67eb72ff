"""Acks keep the order of offsets, whatever the order of completion."""

from __future__ import annotations

from functools import partial

from stream.ledger import Entry, Ledger


def test_nothing_is_acked_before_what_is_older() -> None:
    acked: list[int] = []
    ledger = Ledger()
    entries = [Entry(offset, partial(acked.append, offset)) for offset in range(4)]
    for entry in entries:
        ledger.deliver(entry)

    assert ledger.settle(entries[2]) == 0
    assert ledger.settle(entries[1]) == 0
    assert acked == []
    assert ledger.settle(entries[0]) == 3
    assert acked == [0, 1, 2]
    assert ledger.span == 1


def test_an_entry_of_a_forgotten_delivery_acks_nothing() -> None:
    acked: list[int] = []
    stale = Entry(7, lambda: acked.append(7))
    fresh = Entry(7, lambda: acked.append(70))
    ledger = Ledger()
    ledger.deliver(fresh)

    assert ledger.settle(stale) == 0
    assert acked == []


def test_offsets_may_have_gaps() -> None:
    acked: list[int] = []
    ledger = Ledger()
    entries = [Entry(offset, partial(acked.append, offset)) for offset in (3, 9, 40)]
    for entry in entries:
        ledger.deliver(entry)
    for entry in reversed(entries):
        ledger.settle(entry)

    assert acked == [3, 9, 40]


def test_an_offset_that_is_delivered_again_counts_once() -> None:
    acked: list[int] = []
    ledger = Ledger()
    entries = [Entry(offset, partial(acked.append, offset)) for offset in (5, 6)]
    assert all(ledger.deliver(entry) for entry in entries)
    ledger.settle(entries[0])

    assert not ledger.deliver(Entry(5, partial(acked.append, 50)))
    assert not ledger.deliver(Entry(6, partial(acked.append, 60)))
    assert ledger.span == 1
    ledger.settle(entries[1])
    assert acked == [5, 6]
    assert ledger.deliver(Entry(7, partial(acked.append, 7)))
