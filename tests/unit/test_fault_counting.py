"""What the tests of the faults count and check is counted right, and can fail."""

from __future__ import annotations

import pytest

from schemas import wire
from schemas.requests import ImageRef, Request
from stream.event import Partition, Position
from tests.fake_worker import answer
from tests.faults.commits import Commit, GroupLog
from tests.faults.outcome import FaultOutcome, longest_silence_s
from tests.faults.table import between_its_marks, markdown
from tests.rig import Record

_IMAGES = Partition("face.images", 0)


def record(request_id: str, arrived_at: float) -> Record:
    request = Request(id=request_id, operation="embed", image=ImageRef(data="eA=="))
    value = wire.dumps(answer(request))
    return Record("face.embeddings", 0, None, value, {}, 0, arrived_at)


def log(*offsets: int) -> GroupLog:
    """One commit a second."""
    commits = [Commit(_IMAGES, offset, at * 1000) for at, offset in enumerate(offsets)]
    return GroupLog(commits, [1])


def test_lost_and_repeated_results_are_counted() -> None:
    records = [record("a", 1), record("b", 2), record("a", 3), record("strange", 4)]
    outcome = FaultOutcome.measured(1, "a fault", ["a", "b", "c"], records, since=1.5)
    assert (outcome.events, outcome.settled, outcome.lost) == (3, 2, 1)
    assert outcome.duplicates == 1
    assert outcome.recovered_s == 1


def test_a_silence_begins_with_the_faults_end_or_a_later_result() -> None:
    records = [record("a", 1), record("b", 5), record("c", 7)]
    assert longest_silence_s(records, 2) == 3
    assert longest_silence_s(records, 4.5) == 2
    with pytest.raises(AssertionError, match="all was done"):
        longest_silence_s(records, 8)


def test_a_commit_behind_an_earlier_one_is_found() -> None:
    assert log(1, 4, 4, 9).steps_back() == []
    assert [commit.offset for commit in log(1, 4, 3, 9, 8).steps_back()] == [3, 8]
    assert log(1, 4, 3).ends == {_IMAGES: 3}


def test_an_event_that_is_committed_before_its_result_is_found() -> None:
    settled_at_ms = {Position("face.images", 0, offset): 1000 * offset for offset in range(3)}
    assert log(1, 2, 3).ahead_of(settled_at_ms) == []
    assert log(1, 3).ahead_of(settled_at_ms) == [Position("face.images", 0, 2)]
    assert log(1, 2, 3, 4).ahead_of(settled_at_ms) == [Position("face.images", 0, 3)]


def test_the_table_is_in_the_order_of_the_list_and_stands_between_its_marks() -> None:
    rows = [
        FaultOutcome(10, "late", events=5, settled=4, duplicates=0, recovered_s=None),
        FaultOutcome(1, "early", events=2000, settled=2000, duplicates=3, recovered_s=1.25),
    ]
    table = markdown(rows)
    assert table.splitlines()[2:] == [
        "| early | 2,000 | 2,000 | 0 | 3 | 1.2 s |",
        "| late | 5 | 4 | 1 | 0 | – |",
    ]
    text = "before\n<!-- faults -->\nold\n<!-- /faults -->\nafter\n"
    put = between_its_marks(text, table)
    assert put == f"before\n<!-- faults -->\n{table}<!-- /faults -->\nafter\n"
    assert between_its_marks(put, table) == put
    with pytest.raises(AssertionError, match="no place"):
        between_its_marks("nothing", table)
