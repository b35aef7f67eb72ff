"""aiokafka, mended in the whole process where it misunderstands a broker, or spins.

Each point was measured on aiokafka 0.14:

* It takes an offset fetch that failed as a whole for "nothing is committed" and begins the
  partition anew: while its coordinator moved, a group did all of its events again.
* With the broker away, it asks for metadata without a pause and burns a core.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

_METADATA_PAUSE_S = 0.25


def mend() -> None:
    """Once is enough: a second call changes nothing."""
    pause_between_metadata_requests()
    heed_errors_of_offset_fetches()


def pause_between_metadata_requests() -> None:
    """Make aiokafka wait a quarter of a second after a metadata request that failed. Once."""
    update = AIOKafkaClient._metadata_update  # noqa: SLF001 - aiokafka has no setting for it
    if hasattr(update, "paused"):
        return

    async def update_or_pause(self: Any, cluster_metadata: Any, topics: Any) -> bool:
        updated = bool(await update(self, cluster_metadata, topics))
        if not updated:
            await asyncio.sleep(_METADATA_PAUSE_S)
        return updated

    update_or_pause.paused = True  # type: ignore[attr-defined]  # a mark
    AIOKafkaClient._metadata_update = update_or_pause  # noqa: SLF001


def heed_errors_of_offset_fetches() -> None:
    """Make aiokafka look at the error of a whole response, which version 2 of it brought. Once."""
    send = GroupCoordinator._send_req  # noqa: SLF001 - aiokafka has no hook there
    if hasattr(send, "heeding"):
        return

    async def send_and_heed(self: Any, request: Any) -> Any:
        response = await send(self, request)
        code: int = getattr(response, "error_code", 0)
        if code and isinstance(request, OffsetFetchRequest):
            error = for_code(code)
            if error is NotCoordinatorForGroupError:
                self.coordinator_dead()
            raise error(self.group_id)
        return response

    send_and_heed.heeding = True  # type: ignore[attr-defined]  # a mark
    GroupCoordinator._send_req = send_and_heed  # noqa: SLF001
