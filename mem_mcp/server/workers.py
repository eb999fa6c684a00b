"""Several processes that serve one socket."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from mem_mcp.errors import ConfigError

logger = logging.getLogger(__name__)

MOST = 64
# One that ends sooner would do so again at once.
_BRIEF_SECONDS = 5
_ASKED_TO_END = (signal.SIGTERM, signal.SIGINT)

Work = Callable[[int, int], None]
"""Serves in a worker, which has a number and a descriptor; that one ends with its parent."""


def check_workers(count: int, transport: str) -> None:
    """Check that so many processes can serve.

    Raises:
        ConfigError: they cannot.
    """
    if not 1 <= count <= MOST:
        raise ConfigError(f"workers: {count} is not within 1..{MOST}")
    if count > 1 and transport != "http":
        raise ConfigError(
            f"workers: {count} processes can share --transport http only: over {transport} each "
            "client stays with one process"
        )
    if count > 1 and not hasattr(os, "fork"):
        raise ConfigError("workers: this system cannot fork processes; leave --workers out")


class Workers:
    """Starts workers, starts anew those that die, and ends when asked to.

    Args:
        count: how many.
        work: what each does.
        seconds: after which those that were asked to end are killed.
        dead: is told the process id of each that ended.
        ending: is called when all are asked to end.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        seconds: float,
        dead: Callable[[int], None],
        ending: Callable[[], None],
    ) -> None:
        self._dead = dead
        self._ending = ending
        self._count = count
        self._work = work
        self._seconds = seconds
        self._running: dict[int, tuple[int, float]] = {}
        self._asked: set[int] = set()
        self._failed = False
        # Never written to: its reading end says when this process is gone, however it went.
        self._alive = os.pipe()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        for number in _ASKED_TO_END:
            signal.signal(number, self._end)
        signal.signal(signal.SIGALRM, self._kill)
        for worker in range(self._count):
            self._start(worker)
        while self._running:
            pid, status = os.waitpid(-1, 0)
            self._dead(pid)
            self._ended(pid, status)
        if signal.SIGINT in self._asked:
            return 128 + signal.SIGINT
        return 1 if self._failed else 0

    def _start(self, number: int) -> None:
        # Who is asked to end in between must be known here, and must not ask others there.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED_TO_END)
        try:
            pid = os.fork()
            if pid:
                self._running[pid] = (number, time.monotonic())
                return
            for each in _ASKED_TO_END:
                signal.signal(each, _exit_at_once)
            os.close(self._alive[1])
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_END)
        _in_worker(self._work, number, self._alive[0])

    def _ended(self, pid: int, status: int) -> None:
        if (known := self._running.pop(pid, None)) is None or self._asked:
            return
        number, started = known
        code = os.waitstatus_to_exitcode(status)
        logger.error("worker %s ended by itself (%s)", number, code)
        if code > 0 and time.monotonic() - started < _BRIEF_SECONDS:
            # It could not begin, and would not the next time.
            self._failed = True
            self._end(signal.SIGTERM, None)
            return
        self._start(number)

    def _end(self, number: int, _: FrameType | None) -> None:
        if not self._asked:
            self._ending()
            signal.alarm(math.ceil(self._seconds))
        self._asked.add(number)
        # Ctrl-C reaches them by itself, and a second one means at once.
        self._tell(signal.SIGTERM)

    def _kill(self, _: int, __: FrameType | None) -> None:
        logger.error("workers that do not end are killed")
        self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        for pid in self._running:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _exit_at_once(_: int, __: FrameType | None) -> None:
    os._exit(0)


def _in_worker(work: Work, number: int, alive: int) -> None:
    code = 1
    try:
        work(number, alive)
        code = 0
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except Exception:  # an edge: of this process
        logger.exception("worker %s failed", number)
    finally:
        sys.stderr.flush()
        os._exit(code)
