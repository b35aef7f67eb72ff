"""A process that has imported what a worker needs, and forks one each time it is asked.

Imports are four fifths of a worker's start: here they are made once, their memory is shared, and a
worker that died is back the sooner. It has one thread, loads no model and touches no image, so that
nothing of one worker reaches another, and a fork copies no lock that somebody holds.

Started from stream/forked.py as `python -m stream.fork_server DESCRIPTOR
MODULE [ARGUMENT…]`; what it forks runs `MODULE.main()`. The server of `multiprocessing` is one for
a whole process and its environment; its children import that process's main module.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from types import ModuleType

from setproctitle import setproctitle

from stream.io.thread_names import name_thread

#: of an order, and of what is told
MOST_BYTES = 64 * 1024
EXIT_FAILED = 1
_STDIN_AND_STDOUT = 2


class ForkServer:
    """Takes orders on `connection`, each the JSON of a worker's arguments and of what its
    environment has above ours, with the descriptors of its standard input and output. Tells
    `{"forked": pid}` for each, in their order, and `{"ended": pid, "code": …}` at the end of one;
    negative: the signal's number.

    It ends with the connection, and leaves the workers to end by themselves, in order. SIGTERM ends
    it and them at once.
    """

    def __init__(self, connection: socket.socket, module: ModuleType, arguments: list[str]) -> None:
        self._connection = connection
        self._module = module
        self._arguments = arguments
        self._forked: set[int] = set()
        self._told_to_end = False
        self._woken, self._wakes = os.pipe()

    def serve(self) -> None:
        for descriptor in (self._woken, self._wakes):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # else nobody would be woken
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._told_to_end:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    os.read(self._woken, MOST_BYTES)
                    self._tell_of_the_ended()
                if self._connection in ready and not self._take_order():
                    return
        for pid in self._forked:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_end = True

    def _tell_of_the_ended(self) -> None:
        for pid in list(self._forked):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._forked.discard(pid)
                self._tell(ended=pid, code=os.waitstatus_to_exitcode(status))

    def _take_order(self) -> bool:
        """False where nobody gives orders any more."""
        order, descriptors, *_ = socket.recv_fds(self._connection, MOST_BYTES, _STDIN_AND_STDOUT)
        if not order:
            return False
        # SIGTERM is for the child as soon as its number is told: it must not meet our handler
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(**json.loads(order), descriptors=descriptors)
            finally:
                os._exit(EXIT_FAILED)  # whatever happened: no second server
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self._forked.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._tell(forked=pid)
        return True

    def _tell(self, **what: int) -> None:
        with suppress(OSError):  # nobody is there to hear: the next look at the connection says so
            self._connection.send(json.dumps(what).encode())

    def _become_worker(
        self, arguments: list[str], environ: dict[str, str], descriptors: list[int]
    ) -> None:
        os.environ.update(environ)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for standard, descriptor in enumerate(descriptors):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        for descriptor in (self._woken, self._wakes, self._connection.detach()):
            os.close(descriptor)
        sys.argv = [self._module.__name__, *self._arguments, *arguments]
        setproctitle(" ".join(sys.argv))  # `ps` tells one worker from another
        name_thread(self._module.__name__)
        try:
            self._module.main()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else EXIT_FAILED)
        except BaseException:  # noqa: BLE001 - this is the process's end
            traceback.print_exc()
            os._exit(EXIT_FAILED)
        os._exit(0)


def main() -> None:
    """The process's entry."""
    descriptor, name, *arguments = sys.argv[1:]
    name_thread("fork-server")
    module = importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a worker's collections leave alone, and shared, what is there by now
    ForkServer(socket.socket(fileno=int(descriptor)), module, arguments).serve()


if __name__ == "__main__":
    main()
