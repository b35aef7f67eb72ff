"""An offset fetch that failed as a whole is tried again, and does not mean: nothing committed."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupLoadInProgressError, KafkaError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from aiokafka.structs import TopicPartition

from stream.aiokafka_mended import heed_errors_of_offset_fetches

_PARTITION = TopicPartition("face.images", 0)
_COMMITTED = OffsetFetchResponse_v3(0, [("face.images", [(0, 41, "", 0)])], 0)


class Client:
    """Answers with what it was told, one response a request."""

    def __init__(self, *responses: Any) -> None:
        self.responses = deque(responses)

    async def send(self, node_id: int, request: Any, *, group: Any) -> Any:
        return self.responses.popleft()


class Coordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, client: Client) -> None:
        self._client = client
        self._retry_backoff_ms = 1
        self.group_id = "workers"
        self.coordinator_id: int | None = 1
        self.found = 0

    async def ensure_coordinator_known(self) -> None:
        if self.coordinator_id is None:
            self.found += 1
            self.coordinator_id = 1

    def coordinator_dead(self) -> None:
        self.coordinator_id = None


@pytest.mark.parametrize("error", [GroupLoadInProgressError, NotCoordinatorForGroupError])
async def test_it_is_tried_again_until_the_coordinator_answers(error: type[KafkaError]) -> None:
    heed_errors_of_offset_fetches()
    coordinator = Coordinator(Client(OffsetFetchResponse_v3(0, [], error.errno), _COMMITTED))
    offsets = await coordinator.fetch_committed_offsets([_PARTITION])
    assert offsets[_PARTITION].offset == 41
    assert coordinator.found == (error is NotCoordinatorForGroupError)


async def test_what_was_never_committed_is_unknown() -> None:
    heed_errors_of_offset_fetches()
    nothing = OffsetFetchResponse_v3(0, [("face.images", [(0, -1, "", 0)])], 0)
    coordinator = Coordinator(Client(nothing))
    assert await coordinator.fetch_committed_offsets([_PARTITION]) == {}
