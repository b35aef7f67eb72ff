"""The table of pending replies: whose a reply is, and that nothing stays in it."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from http_edge.metrics import EdgeMetrics
from http_edge.replies import PendingReplies
from schemas import wire
from schemas.results import ImageInfo, Result


def result_bytes(request_id: str) -> bytes:
    nothing = ImageInfo(uri=None, sha256=None, width=None, height=None)
    return wire.dumps(
        Result(
            id="result",
            request_id=request_id,
            operation="embed",
            status="no_face",
            error=None,
            image=nothing,
            faces=[],
            model=None,
            timings_ms={},
        )
    )


@pytest.fixture
def metrics() -> EdgeMetrics:
    return EdgeMetrics()


@pytest.fixture
def replies(metrics: EdgeMetrics) -> PendingReplies:
    return PendingReplies(metrics)


def value(registry: CollectorRegistry, name: str) -> float:
    found = registry.get_sample_value(f"facestream_edge_{name}")
    assert found is not None
    return found


async def test_a_reply_goes_to_who_waits_for_it_and_to_nobody_else(
    replies: PendingReplies,
) -> None:
    with replies.expect("a") as a, replies.expect("b") as b:
        replies.deliver(b.correlation_id, result_bytes("b"))
        assert b.result.result().request_id == "b"
        assert not a.result.done()


async def test_correlation_ids_are_16_bytes_and_each_is_another(replies: PendingReplies) -> None:
    with replies.expect("a") as a, replies.expect("a") as again:
        assert len(a.correlation_id) == len(again.correlation_id) == 16
        assert a.correlation_id != again.correlation_id


async def test_an_answered_an_abandoned_and_a_failed_wait_leave_nothing(
    replies: PendingReplies, metrics: EdgeMetrics
) -> None:
    with replies.expect("answered") as pending:
        replies.deliver(pending.correlation_id, result_bytes("answered"))

    async def wait(timeout_s: float | None) -> None:
        with replies.expect("unanswered") as pending:
            async with asyncio.timeout(timeout_s):
                await pending.result

    with pytest.raises(TimeoutError):
        await wait(0)
    caller = asyncio.create_task(wait(None))
    await asyncio.sleep(0)
    assert len(replies) == 1
    assert value(metrics.registry, "pending_replies") == 1
    caller.cancel()
    await asyncio.wait({caller})
    assert len(replies) == 0
    assert value(metrics.registry, "pending_replies") == 0


async def test_a_reply_after_its_caller_left_is_late_and_is_dropped(
    replies: PendingReplies, metrics: EdgeMetrics
) -> None:
    with replies.expect("a") as pending:
        pass
    replies.deliver(pending.correlation_id, result_bytes("a"))
    assert value(metrics.registry, "late_replies_total") == 1
    assert value(metrics.registry, "unknown_replies_total") == 0


async def test_a_second_reply_to_the_same_request_is_late(
    replies: PendingReplies, metrics: EdgeMetrics
) -> None:
    with replies.expect("a") as pending:
        replies.deliver(pending.correlation_id, result_bytes("a"))
        replies.deliver(pending.correlation_id, result_bytes("a"))
        assert value(metrics.registry, "late_replies_total") == 1
        assert value(metrics.registry, "reply_seconds_count") == 1


async def test_another_edges_reply_on_the_same_partition_is_unknown(metrics: EdgeMetrics) -> None:
    mine, theirs = PendingReplies(metrics), PendingReplies(EdgeMetrics())
    with mine.expect("a") as pending, theirs.expect("a") as foreign:
        mine.deliver(foreign.correlation_id, result_bytes("a"))
        assert not pending.result.done()
    assert value(metrics.registry, "unknown_replies_total") == 1
    assert value(metrics.registry, "late_replies_total") == 0


@pytest.mark.parametrize("correlation_id", [None, b"", b"short", b"x" * 16])
async def test_a_reply_without_an_id_of_ours_is_unknown(
    replies: PendingReplies, metrics: EdgeMetrics, correlation_id: bytes | None
) -> None:
    with replies.expect("a") as pending:
        replies.deliver(correlation_id, result_bytes("a"))
        assert not pending.result.done()
    assert value(metrics.registry, "unknown_replies_total") == 1


@pytest.mark.parametrize("broken", [None, b"", b"{}", b"\xff\xfe", result_bytes("another")])
async def test_what_is_no_answer_to_the_request_is_dropped_and_the_caller_waits_on(
    replies: PendingReplies, metrics: EdgeMetrics, broken: bytes | None
) -> None:
    with replies.expect("a") as pending:
        replies.deliver(pending.correlation_id, broken)
        assert not pending.result.done()
        assert value(metrics.registry, "unknown_replies_total") == 1
        replies.deliver(pending.correlation_id, result_bytes("a"))
        assert pending.result.done()


async def test_the_time_to_the_reply_is_measured(metrics: EdgeMetrics) -> None:
    now = 100.0
    replies = PendingReplies(metrics, clock=lambda: now)
    with replies.expect("a") as pending:
        now = 100.25
        replies.deliver(pending.correlation_id, result_bytes("a"))
    assert value(metrics.registry, "reply_seconds_sum") == pytest.approx(0.25)
