"""The process's stdin and stdout, for the protocol alone."""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

_CHUNK = 1 << 16

Work = tuple["Future[bytes]", Callable[[], bytes]]


class Wires:
    """The process's stdin and stdout, for the protocol alone.

    All other code finds the end of the input on stdin, and prints to stderr.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._incoming, self._outgoing = os.dup(0), os.dup(1)
        if os.name == "posix":  # a terminal may have been left otherwise by another program
            os.set_blocking(self._incoming, True)
            os.set_blocking(self._outgoing, True)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        # It stays so: what is printed at the very end must not reach the client either.
        os.dup2(2, 1)
        self._reader, self._writer = _Thread("mem-mcp-reader"), _Thread("mem-mcp-writer")

    async def read(self) -> bytes:
        """Wait for what comes in next; empty is the end.

        Raises:
            OSError: nothing can be read.
        """
        return await self._reader.run(lambda: os.read(self._incoming, _CHUNK))

    async def write(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            OSError: nobody reads any more.
        """
        await self._writer.run(lambda: _write_all(self._outgoing, data))


def _write_all(descriptor: int, data: bytes) -> bytes:
    while data:
        data = data[os.write(descriptor, data) :]
    return data


class _Thread:
    """Blocking calls, one after the other, in a thread that never keeps the process alive.

    A read cannot be interrupted, and an ordinary worker in one would hold up the end until the
    client closes its side.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, call: Callable[[], bytes]) -> bytes:
        done: Future[bytes] = Future()
        self._work.put((done, call))
        return await asyncio.wrap_future(done)

    def _run(self) -> None:
        while True:
            done, call = self._work.get()
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(call())
                except OSError as error:
                    done.set_exception(error)
