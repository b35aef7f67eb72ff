"""Worker processes that a fork server forks, as their supervisor sees them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO

from stream.fork_server import EXIT_FAILED, MOST_BYTES

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 5.0


class ForkServerEnded(RuntimeError):
    """It ended before it had forked; its own message is on standard error."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"the fork server ended with exit code {exit_code}")
        self.exit_code = exit_code


class ForkedProcess:
    """As `asyncio.subprocess.Process`, of one that is no child of ours."""

    def __init__(
        self, stdin: int, stdout: asyncio.StreamReader, pipe: asyncio.ReadTransport
    ) -> None:
        """stdin: the descriptor whose end the process reads. pipe: what feeds `stdout`."""
        self.stdout = stdout
        self.returncode: int | None = None
        self.forked = asyncio.Event()
        self._pid: int | None = None
        self._stdin = stdin
        self._pipe = pipe
        self._wanted = True
        self._ended = asyncio.Event()

    @property
    def exists(self) -> bool:
        """Whether it was forked ever."""
        return self._pid is not None

    @property
    def pid(self) -> int:
        assert self._pid is not None
        return self._pid

    async def wait(self) -> int:
        """Its exit code; negative: the number of the signal that ended it."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def give_up(self) -> None:
        """End it, now or as soon as it is there."""
        self._wanted = False
        self.kill()
        self.close()

    def close(self) -> None:
        """Hear no more of it."""
        self._pipe.close()

    def _send(self, number: signal.Signals) -> None:
        if self._pid is not None and self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def has_begun(self, pid: int) -> None:
        """The server says so."""
        self._pid = pid
        self.forked.set()
        if not self._wanted:
            self.kill()

    def has_ended(self, exit_code: int) -> None:
        """The server says so, or is gone."""
        self.returncode = exit_code
        os.close(self._stdin)
        self.forked.set()
        self._ended.set()


async def _piped() -> tuple[ForkedProcess, list[int]]:
    """A process to come, and the descriptors of its standard input and output."""
    their_stdin, stdin = os.pipe()
    stdout, their_stdout = os.pipe()
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(stdout, "rb", 0)
    )
    return ForkedProcess(stdin, reader, pipe), [their_stdin, their_stdout]


class ForkedWorkers:
    """`await workers.fork([argument, …])`; `await workers.close()` in the end.

    The server is started by `start`, or with the first fork, and anew when it has died, which ends
    the workers too. worker: the module whose `main` they run, and the arguments that all have.
    """

    def __init__(
        self, worker: Sequence[str], environ: Mapping[str, str], log: IO[bytes] | None
    ) -> None:
        self._worker = worker
        self._environ = environ
        self._log = log
        self._server: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._connection: socket.socket | None = None
        self._asked: deque[ForkedProcess] = deque()
        self._running: dict[int, ForkedProcess] = {}
        self._closing = False

    async def start(self) -> None:
        """Start the server, unless it runs. Does not wait for its imports."""
        async with self._starting:
            if self._connection is not None:
                return
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ExitStack() as stack, theirs:
                stack.enter_context(ours)
                self._server = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "stream.fork_server", str(theirs.fileno())),
                    *self._worker,
                    env=self._environ,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=self._log,
                    start_new_session=True,  # Ctrl-C in a terminal is for the supervisor alone
                )
                stack.pop_all()
            ours.setblocking(False)
            self._connection = ours
            asyncio.get_running_loop().add_reader(ours, self._hear, ours)

    async def fork(self, arguments: Sequence[str], timeout_s: float) -> ForkedProcess:
        """A new worker. A server that has forked none in that time is killed.

        Raises `ForkServerEnded`.
        """
        await self.start()
        server = self._server
        assert server is not None
        process, theirs = await _piped()
        self._order(process, arguments, theirs)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await process.forked.wait()
            if not process.forked.is_set():
                server.kill()
                await process.forked.wait()
        except asyncio.CancelledError:
            process.give_up()
            raise
        if not process.exists:
            process.give_up()
            raise ForkServerEnded(await server.wait())
        return process

    def _order(
        self, process: ForkedProcess, arguments: Sequence[str], theirs: Sequence[int]
    ) -> None:
        order = json.dumps(list(arguments)).encode()
        try:
            if self._connection is None:
                raise ConnectionResetError
            socket.send_fds(self._connection, [order], theirs)
        except OSError:
            process.has_ended(EXIT_FAILED)
        else:
            self._asked.append(process)
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def _hear(self, connection: socket.socket) -> None:
        while True:
            try:
                said = connection.recv(MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if not said:
                self._lose(connection)
                return
            self._understand(json.loads(said))

    def _understand(self, said: Mapping[str, int]) -> None:
        if "forked" in said:
            process = self._running[said["forked"]] = self._asked.popleft()
            process.has_begun(said["forked"])
        else:
            self._running.pop(said["ended"]).has_ended(said["code"])

    def _lose(self, connection: socket.socket) -> None:
        """The server is gone, and with it who would tell how a worker ended.

        Not by a signal, it is said then, for that would be blamed on what they worked on.
        """
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        self._connection = None
        if not self._closing:
            log.error("what workers are forked from has died: they are ended, and forked anew")
        for process in (*self._running.values(), *self._asked):
            process.kill()
            process.has_ended(EXIT_FAILED)
        self._running.clear()
        self._asked.clear()

    async def close(self) -> None:
        """End the server, and every worker that is left."""
        server = self._server
        if server is None:
            return
        self._closing = True
        with suppress(ProcessLookupError):
            server.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await server.wait()
        except TimeoutError:
            server.kill()
            await server.wait()
        if self._connection is not None:
            self._hear(self._connection)
