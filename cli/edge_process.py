"""The edge of `facestream up`: a process of its own, started again when it dies.

A crash of the edge leaves the workers at work, and theirs leaves the edge to say so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEALTHY_S = 20.0
#: beside the longest wait of a caller, who is answered before the edge stops
_STOP_RESERVE_S = 5.0


class EdgeFailed(RuntimeError):
    """The edge does not start; its own message is above."""


class EdgeProcess:
    """`async with EdgeProcess(environ, …) as edge: await edge.ready()`.

    It reads its settings from `environ`, and writes what it has to say to `log`, else where ours
    goes. longest_answer_s: how long a stop may wait for callers.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        longest_answer_s: float,
        log: IO[bytes] | None = None,
    ) -> None:
        self._environ = dict(environ)
        self._log = log
        self._stop_timeout_s = longest_answer_s + _STOP_RESERVE_S
        self._url: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._failed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def ready(self) -> None:
        """Wait until it listens and hears a worker. Raises `EdgeFailed`."""
        waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._failed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._failed.is_set():
            raise EdgeFailed("the HTTP edge does not start; its own message is above")

    @property
    def url(self) -> str | None:
        """Where it listens, once it does."""
        return self._url

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.pid

    async def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            began_at = time.monotonic()
            exit_code = await self._run()
            if self._url is None:  # it never listened: again, it would do no better
                self._failed.set()
                return
            lived_s = time.monotonic() - began_at
            pause_s = _FIRST_PAUSE_S if lived_s > _HEALTHY_S else pause_s
            log.error(
                "the edge ended after %.1f s with exit code %s; started again in %.1f s",
                lived_s,
                exit_code,
                pause_s,
            )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _run(self) -> int:
        """One process from start to end; cancelled, it is stopped. Returns its exit code."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cli.main", "edge", "--link", str(theirs.fileno())),
                env=self._environ,
                pass_fds=(theirs.fileno(),),
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor alone
            )
            theirs.close()
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                while line := await reader.readline():
                    self._hear(json.loads(line))
                return await process.wait()
            finally:
                await self._stop(process)
                writer.close()
                self._process = None

    def _hear(self, said: Mapping[str, str]) -> None:
        if "url" in said:
            self._url = said["url"]
            self._environ["PORT"] = str(urlsplit(self._url).port)  # found again where it was
        if said.get("state") == "ready":
            self._ready.set()

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(self._stop_timeout_s):
                await process.wait()
        except TimeoutError:
            log.warning("the edge does not stop in time and is killed")
            process.kill()
            await process.wait()
