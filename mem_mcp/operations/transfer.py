"""import: memories from JSON Lines, one a line."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mem_mcp.api import checks
from mem_mcp.api.models import ImportResult, LineError, Memory, Scope
from mem_mcp.api.transfer import FEEDBACK, FORMAT, TRACE, VERSION
from mem_mcp.errors import InvalidInput
from mem_mcp.intake.requests import take_in_fields
from mem_mcp.logs.feedback import Rating
from mem_mcp.logs.recalls import Trace
from mem_mcp.operations.remember import store_memories
from mem_mcp.runtime import Runtime
from mem_mcp.text import digest, exact
from mem_mcp.times import utc_now
from mem_mcp.writing import transferred
from mem_mcp.writing.chains import Chain, place_taken, take_over
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.transferred import line_fields

BATCH = 512
_BATCH_BYTES = 100_000_000
"""Of lines that are stored together; Arrow takes 2 GB of a column at once."""

_MOST_NOTES = 20

# Made anew by the store that imports.
_DERIVED = frozenset(
    {"version_id", "memory_id", "version", "event", "embedder", "content_hash", "recorded_at",
     "superseded_at", "request_key", "actor", "client"}
)  # fmt: skip
_FIELDS = tuple(Memory.model_fields)


async def import_lines(
    runtime: Runtime,
    lines: Iterable[bytes],
    *,
    user_id: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Store one memory a line; bad lines are skipped and named.

    Behind a header, lines are versions of memories: those that are missing here are stored with
    their ids and times, and marks and recalls with them. Before one, each line is a new memory.

    Args:
        runtime: what to work with.
        lines: JSON objects with the fields of a memory; `content` is accepted for `text`.
        user_id: owner of lines that name none.
        progress: called with the number of lines that were read since its last call.
    """
    work: _PlainLines | _WholeLines = _PlainLines(runtime, user_id, progress)
    notes: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(BOM_UTF8)
        if not text.strip():
            continue
        try:
            fields, taken = take_in_fields(_object(text), runtime.settings.secrets)
            notes += [f"line {number}: {note}" for note in taken]
            if fields.get("format") == FORMAT:
                _check_header(fields)
                # Files may be joined: what the next one repeats is known when it is read.
                await work.end()
                work = _WholeLines(runtime, progress, work)
            else:
                await work.take(number, fields, len(text))
        except InvalidInput as error:
            work.refuse(number, error)
            if isinstance(error, _NewerVersion):
                break
    await work.end()
    work.errors.sort(key=lambda error: error.line)
    if (more := len(notes) - _MOST_NOTES) > 0:
        notes[_MOST_NOTES:] = [f"and {more:,} more such notes"]
    return ImportResult(
        imported=work.imported,
        duplicates=work.duplicates,
        errors=work.errors,
        degraded=notes,
    )


class _NewerVersion(InvalidInput):
    """The file is of a format that this version does not know."""


def _check_header(fields: Mapping[str, Any]) -> None:
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidInput("version", "of the format is not a whole number from 1")
    if version > VERSION:
        raise _NewerVersion(
            "version",
            f"the file was written by a newer mem-mcp (format {version}, this one knows "
            f"{VERSION}); upgrade mem-mcp, nothing of it was imported",
        )


class _Lines:
    """What an import has come to."""

    def __init__(self, runtime: Runtime, progress: Callable[[int], None]) -> None:
        self._runtime = runtime
        self._progress = progress
        self._held = 0
        self.imported = 0
        self.duplicates = 0
        self.errors: list[LineError] = []

    def refuse(self, line: int, error: object) -> None:
        """Name a line that is wrong."""
        self.errors.append(LineError(line=line, error=str(error)))
        self._progress(1)

    async def _said(self, said: Sequence[tuple[int, Memory]]) -> None:
        """Store memories as if they were said now."""
        if not said:
            return
        try:
            done = await store_memories(self._runtime, [memory for _, memory in said])
        except InvalidInput as error:  # what one of them would add does not fit
            if len(said) == 1:
                self.errors.append(LineError(line=said[0][0], error=str(error)))
                return
            for one in said:
                await self._said([one])
            return
        results = done.results
        for (line, memory), result in zip(said, results, strict=True):
            if exact(result.text) != exact(memory.text):
                self.errors.append(LineError(line=line, error=place_taken(memory)))
            elif result.event == "ADD":
                self.imported += 1
            else:
                self.duplicates += 1


class _PlainLines(_Lines):
    """Lines without a header: of other programs, and of an export that has no history."""

    def __init__(self, runtime: Runtime, user_id: str, progress: Callable[[int], None]) -> None:
        super().__init__(runtime, progress)
        self._user_id = user_id
        self._batch: list[tuple[int, Memory]] = []
        self._equal: Counter[str] = Counter()
        """How many outcomes of the file were equal so far."""

    async def take(self, number: int, fields: dict[str, Any], size: int) -> None:
        """Take one line."""
        memory = _memory(self._runtime, fields, self._user_id)
        if memory.kind == "outcome":
            memory = memory.model_copy(update={"request_key": self._key(memory, fields)})
        self._batch.append((number, memory))
        self._held += size
        if len(self._batch) == BATCH or self._held > _BATCH_BYTES:
            await self.end()

    async def end(self) -> None:
        """Store what is held."""
        known = await self._known_outcomes()
        new = [(line, one) for line, one in self._batch if one.request_key not in known]
        self.duplicates += len(self._batch) - len(new)
        await self._said(new)
        self._progress(len(self._batch))
        self._batch, self._held = [], 0

    def _key(self, memory: Memory, fields: Mapping[str, Any]) -> str:
        """Return a key that an outcome has again when its file is imported again.

        Outcomes have no other identity: of equal ones in a file each was one.
        """
        given = {name: value for name, value in fields.items() if name not in _DERIVED}
        same = digest(memory.user_id, json.dumps(given, sort_keys=True))
        self._equal[same] += 1
        return f"import {digest(same, self._equal[same])}"

    async def _known_outcomes(self) -> set[str | None]:
        """Return the keys of those held outcomes that are stored, and were not forgotten."""
        keys = sorted(one.request_key for _, one in self._batch if one.request_key)
        if not keys:
            return set()
        store, columns = self._runtime.store, ["memory_id", "request_key"]
        first = await store.read({"kind": "outcome", "request_key": {"in": keys}}, columns=columns)
        ids = sorted({row.memory.memory_id for row in first})
        here = {"superseded_at": {"exists": False}, "status": {"ne": "deleted"}}
        rows = await store.read({"memory_id": {"in": ids}, **here}, columns=columns)
        current = {row.memory.memory_id for row in rows}
        return {row.memory.request_key for row in first if row.memory.memory_id in current}


class _WholeLines(_Lines):
    """Lines behind a header: versions of memories, marks and recalls."""

    def __init__(self, runtime: Runtime, progress: Callable[[int], None], before: _Lines) -> None:
        super().__init__(runtime, progress)
        self.imported, self.duplicates = before.imported, before.duplicates
        self.errors = before.errors
        self._chains: dict[str, Chain] = {}
        self._last = ""
        self._lines = 0
        self._marks: list[Rating] = []
        self._traces: list[Trace] = []

    async def take(self, number: int, fields: dict[str, Any], size: int) -> None:
        """Take one line."""
        if [*fields] == [FEEDBACK]:
            self._marks.append(transferred.mark(fields[FEEDBACK]))
        elif [*fields] == [TRACE]:
            self._traces.append(transferred.trace(fields[TRACE]))
        else:
            await self._version(number, transferred.version(fields))
        self._held += size
        self._lines += 1
        if len(self._marks) + len(self._traces) >= BATCH:
            await self.end()

    async def _version(self, number: int, memory: Memory) -> None:
        is_full = self._lines >= BATCH or self._held > _BATCH_BYTES
        if is_full and memory.memory_id != self._last:
            await self.end()
        self._last = memory.memory_id
        chain = self._chains.setdefault(memory.memory_id, Chain())
        if memory.version in chain.versions:
            raise InvalidInput("version_id", f"{memory.version_id!r} is in the file already")
        chain.versions[memory.version] = memory
        chain.lines[memory.version] = number

    async def end(self) -> None:
        """Store what is held."""
        taken = await take_over(self._runtime, [*self._chains.values()])
        self.imported += taken.added
        self.duplicates += taken.known
        self.errors += [LineError(line=line, error=error) for line, error in taken.errors]
        await self._said(taken.again)
        await transferred.add_marks(self._runtime, self._marks)
        await transferred.add_traces(self._runtime, self._traces)
        self._progress(self._lines)
        self._chains, self._marks, self._traces = {}, [], []
        self._lines = self._held = 0


def _memory(runtime: Runtime, fields: dict[str, Any], user_id: str) -> Memory:
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise InvalidInput(unknown[0], f"no such field; allowed: {', '.join(_FIELDS)}")
    if fields.get("superseded_at") is not None:
        raise InvalidInput(
            "superseded_at",
            "is of an earlier version, which would be taken for a current one; put the first line "
            "of its export, the header, before it",
        )
    fields = {k: v for k, v in fields.items() if k not in _DERIVED and v is not None}
    most = runtime.settings.remember.max_characters
    text = checks.required_text(fields.pop("text", ""), "text", most)
    scope = checks.scope(
        runtime.settings.user_id,
        fields.pop("user_id", "") or user_id,
        fields.pop("agent_id", ""),
        fields.pop("run_id", ""),
    )
    return _checked(scope, text, fields)


def _object(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput("format", f"is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("format", f"is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("format", "is not a JSON object")
    if "content" in fields:
        if "text" in fields:
            raise InvalidInput("content", "is another name of text; give one of them")
        fields["text"] = fields.pop("content")
    return fields


def _checked(scope: Scope, text: str, fields: dict[str, Any]) -> Memory:
    values = line_fields(fields)
    values.setdefault("kind", "fact")
    if values["kind"] == "outcome":
        # As record_outcome has it: without any, no list of lessons would ever show it.
        values.setdefault("outcome_type", "unknown")
    try:
        return new_memory(scope, text, utc_now(), **values)
    except ValidationError as error:
        raise InvalidInput("format", str(error.errors()[0]["msg"])) from error
