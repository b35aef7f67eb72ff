"""Worker processes that a fork server forks, as their supervisor sees them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO

from stream.fork_server import EXIT_FAILED, MOST_BYTES

log = logging.getLogger(__name__)

#: a module whose `main` is a worker's, and arguments that all of them have
WORKER = ("stream.worker",)
#: OpenBLAS would start a thread a core in each process; OpenCV warns of each damaged image
NATIVE_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "ERROR",
    # From the first large image glibc learns to keep those that follow in its heaps, one a thread:
    # workers grew by 15 % over 6,000 events. With bytes that are fixed, what is larger is given
    # back; what detection needs each time is not, for 3,000 page faults an image are a fifth of it.
    "MALLOC_MMAP_THRESHOLD_": f"{8 * 1024 * 1024}",
    "MALLOC_TRIM_THRESHOLD_": f"{32 * 1024 * 1024}",
    "MALLOC_ARENA_MAX": "4",
    # weights in large pages where the kernel has some: 2 to 3 % less for recognition and analysis
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
_STOP_TIMEOUT_S = 5.0
#: of a server that has let go of its connection
_LAST_MOMENTS_S = 1.0


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


class ForkServerProcess:
    """What workers are forked from (stream/fork_server.py), from its start on.

    environ: at its start, above what native libraries are told; what has changed since then a
    worker is told with its order.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        worker: Sequence[str] = WORKER,
        log: IO[bytes] | None = None,
    ) -> None:
        self.environ = dict(environ)
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as stack, theirs:
            stack.enter_context(self.connection)
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "stream.fork_server", str(theirs.fileno()), *worker],
                env=NATIVE_LIBRARIES | self.environ,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor alone
            )
            stack.pop_all()
        self.connection.setblocking(False)

    async def wait(self) -> int:
        """Its exit code, in the end."""
        return await asyncio.to_thread(self.process.wait)

    def close(self, patience_s: float = 0.0) -> None:
        """End it, unless it ends by itself in that time. Blocks so long."""
        self.connection.close()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ForkedWorkers:
    """`await workers.fork([argument, …])`; `await workers.close()` in the end.

    The server is started by `start`, or with the first fork, and anew when it has died, which ends
    the workers too. worker: the module whose `main` they run, and the arguments that all have.
    server: one that was started before with the same `worker` and `log`.
    """

    def __init__(
        self,
        worker: Sequence[str],
        environ: Mapping[str, str],
        log: IO[bytes] | None,
        server: ForkServerProcess | None = None,
    ) -> None:
        self._worker = worker
        self._environ = environ
        self._log = log
        self._server = server
        #: that we listen to; none while there is no server
        self._connection: socket.socket | None = None
        self._asked: deque[ForkedProcess] = deque()
        self._running: dict[int, ForkedProcess] = {}
        self._closing = False

    def start(self) -> None:
        """Start the server, unless it runs. Does not wait for its imports."""
        if self._connection is not None:
            return
        if self._server is None:
            self._server = ForkServerProcess(self._environ, worker=self._worker, log=self._log)
        self._connection = self._server.connection
        asyncio.get_running_loop().add_reader(self._connection, self._hear, self._connection)

    async def fork(self, arguments: Sequence[str], timeout_s: float) -> ForkedProcess:
        """A new worker. A server that has forked none in that time is killed.

        Raises `ForkServerEnded`.
        """
        self.start()
        server = self._server
        assert server is not None
        process, theirs = await _piped()
        self._order(server, process, arguments, theirs)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await process.forked.wait()
            if not process.forked.is_set():
                server.process.kill()
                await process.forked.wait()
        except asyncio.CancelledError:
            process.give_up()
            raise
        if not process.exists:
            process.give_up()
            raise ForkServerEnded(await server.wait())
        return process

    def _order(
        self,
        server: ForkServerProcess,
        process: ForkedProcess,
        arguments: Sequence[str],
        theirs: Sequence[int],
    ) -> None:
        changes = dict(self._environ.items() - server.environ.items())
        order = json.dumps({"arguments": list(arguments), "environ": changes}).encode()
        try:
            socket.send_fds(server.connection, [order], theirs)
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
        self._connection = None
        for process in (*self._running.values(), *self._asked):
            process.kill()
            process.has_ended(EXIT_FAILED)
        self._running.clear()
        self._asked.clear()
        if not self._closing:
            log.error("what workers are forked from has died: they are ended, and forked anew")
            assert self._server is not None
            self._server.close(_LAST_MOMENTS_S)
            self._server = None

    async def close(self) -> None:
        """End the server, and every worker that is left."""
        server = self._server
        if server is None:
            return
        self._closing = True
        server.process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await server.wait()
        except TimeoutError:
            server.process.kill()
            await server.wait()
        if self._connection is not None:
            self._hear(self._connection)
        server.close()
