"""How much one token may ask of several processes together."""

from __future__ import annotations

import hashlib
import mmap
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from mem_mcp.config import LimitSettings
from mem_mcp.server.rates import Rates

_SLOTS = 4_096
# Slots looked at for a token, from the one that its name says.
_NEAR = 16
_KEY = 16
_BUCKET = struct.Struct("=dd")
_COUNT = struct.Struct("=i")


class SharedRates:
    """Memory in which the processes that are forked from this one count together.

    Args:
        limits: the bounds.
        workers: how many processes count.
    """

    def __init__(self, limits: LimitSettings, workers: int) -> None:
        self.limits = limits
        self.slot_bytes = _KEY + _BUCKET.size + workers * _COUNT.size
        self.memory = mmap.mmap(-1, _SLOTS * self.slot_bytes)
        # The system gives back the lock on it when its holder dies.
        self.lock = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the processes

    def of_worker(self, number: int) -> Rates:
        """Return the rates as a process counts them; what one before it counted is forgotten.

        Args:
            number: of the process, from 0.
        """
        return _WorkerRates(self, number)


class _WorkerRates(Rates):
    def __init__(self, shared: SharedRates, number: int) -> None:
        super().__init__(shared.limits)
        self._memory, self._size, self._lock = shared.memory, shared.slot_bytes, shared.lock
        self._own = _KEY + _BUCKET.size + number * _COUNT.size
        with self.alone():
            for slot in range(_SLOTS):
                _COUNT.pack_into(self._memory, slot * self._size + self._own, 0)

    @contextmanager
    def alone(self) -> Iterator[None]:
        # Windows has no such module, and no workers.
        import fcntl  # noqa: PLC0415

        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def runs(self, token_id: str) -> int:
        return self._runs_at(self._slot(token_id))

    def count(self, token_id: str, by: int) -> None:
        place = self._slot(token_id) + self._own
        (before,) = _COUNT.unpack_from(self._memory, place)
        _COUNT.pack_into(self._memory, place, max(0, before + by))

    def bucket(self, token_id: str) -> tuple[float, float] | None:
        left, then = _BUCKET.unpack_from(self._memory, self._slot(token_id) + _KEY)
        return (left, then) if then else None

    def fill(self, token_id: str, left: float, now: float) -> None:
        _BUCKET.pack_into(self._memory, self._slot(token_id) + _KEY, left, now)

    def _slot(self, token_id: str) -> int:
        key = hashlib.sha256(token_id.encode()).digest()[:_KEY]
        first = int.from_bytes(key[:4], "little")
        near = [(first + step) % _SLOTS * self._size for step in range(_NEAR)]
        for place in near:
            if self._memory[place : place + _KEY] == key:
                return place
        # One that nobody used yet, or used least lately; none that is in use, if another is there.
        place = min(near, key=lambda each: (self._runs_at(each) > 0, self._then(each)))
        self._memory[place : place + self._size] = key + bytes(self._size - _KEY)
        return place

    def _runs_at(self, place: int) -> int:
        counts = self._memory[place + _KEY + _BUCKET.size : place + self._size]
        return sum(each for (each,) in _COUNT.iter_unpack(counts))

    def _then(self, place: int) -> float:
        then: float = _BUCKET.unpack_from(self._memory, place + _KEY)[1]
        return then
