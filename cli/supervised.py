"""Workers that run until Ctrl-C or SIGTERM: what `worker` and `up` have in common."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.edge_process import EdgeProcess
    from stream.forked import ForkServerProcess
    from stream.settings import WorkerSettings

log = logging.getLogger(__name__)


def log_to_stderr() -> None:
    """The supervisor's log lines, as the workers' are."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s supervisor %(name)s: %(message)s"
    )


def run_until_told(work: Coroutine[object, object, None]) -> None:
    """Run to the end; a second Ctrl-C does not disturb what is being stopped in order."""
    try:
        asyncio.run(work)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


async def run_workers(
    settings: WorkerSettings,
    environ: Mapping[str, str],
    on_ready: Callable[[], None],
    *,
    patient: bool = False,
    edge: EdgeProcess | None = None,
    fork_server: ForkServerProcess | None = None,
) -> None:
    """Start the workers, call `on_ready` when all are at work, stop them in order at the end.

    `edge` is started beside them and stopped before them; `fork_server` runs already. Raises
    `PackUnavailable` before anything else is started, and `WorkersFailed` or `EdgeFailed` when they
    cannot start, unless `patient`: then they are tried until they can.
    """
    from stream.models import weights
    from stream.supervisor import Supervisor, WorkersFailed

    weights.ensure(settings)  # once, with its progress bar, and not in every worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(
            Supervisor(settings, environ, fork_server=fork_server)
        )
        starts = [supervisor.ready()]
        if edge is not None:
            await stack.enter_async_context(edge)
            starts.append(edge.ready())
        stopped = asyncio.create_task(stop.wait())
        # a task, for a gathering that is cancelled complains that nobody took its exception
        ready = asyncio.create_task(_all(starts))
        either: set[asyncio.Task[Any]] = {stopped, ready}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                try:
                    ready.result()
                except WorkersFailed as error:
                    if not patient:
                        raise
                    log.error("%s; it is tried again and again", error)  # noqa: TRY400 - workers log traces
                else:
                    on_ready()
            await stopped
        finally:
            stopped.cancel()
            ready.cancel()


async def _all(waits: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*waits)
