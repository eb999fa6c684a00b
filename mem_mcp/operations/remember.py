"""remember: store texts, each once, and say what is already known that is like them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from mem_mcp.api import checks
from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import (
    WAITING_REASONS,
    Kind,
    Memory,
    Remembered,
    RememberResult,
    Scope,
    Similar,
)
from mem_mcp.api.progress import PartsReport
from mem_mcp.api.remember import KINDS, MOST_AT_ONCE, Remember
from mem_mcp.errors import InvalidInput, LLMError
from mem_mcp.extraction.message_reading import read_messages, with_text, worded
from mem_mcp.extraction.pending import (
    being_read,
    content_of_row,
    is_kept,
    rows_waiting,
    turn_of,
    waiting,
)
from mem_mcp.extraction.pictures import (
    MOST_PICTURES,
    Content,
    blindness,
    content_of,
    has_parts,
    left_out,
)
from mem_mcp.extraction.procedure import procedure
from mem_mcp.extraction.secrets import masked
from mem_mcp.llm import Gateway
from mem_mcp.retrieval.near_duplicates import similar
from mem_mcp.retrieval.row_filters import view
from mem_mcp.retrieval.unembedded import unembedded_note
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, Version
from mem_mcp.telemetry import span
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import Insertion, new_memory
from mem_mcp.writing.insert import (
    Embedding,
    IdempotencyKey,
    start_embedding,
    store_new,
    stored_earlier,
)

MOST_SIMILAR = 3
_MANY_ARE_NOT_READ = "no language model is asked for many at once; give it to remember"


@dataclass(frozen=True, slots=True)
class _Checked:
    scope: Scope
    memories: list[Memory]
    request: IdempotencyKey | None
    degraded: list[str] = field(default_factory=list)
    contents: Sequence[Content] = ()
    """What each of several messages holds."""

    @property
    def pictures(self) -> int:
        """How many pictures are not described."""
        return sum(len(content.pictures) for content in self.contents)


async def remember(runtime: Runtime, request: Remember) -> RememberResult:
    """Store one text or the messages of a conversation.

    Raises:
        InvalidInput: an argument was refused; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    now = utc_now()
    if _is_over(moment(request.expires_at), now) and (first := await _earlier(runtime, request)):
        scope = request.scope(runtime.settings.user_id)
        return RememberResult(results=await _first_answer(runtime, scope, first))
    if has_parts(request.messages):
        checked = await asyncio.to_thread(_check, runtime, request, now)
    else:
        checked = _check(runtime, request, now)
    gateway = _reader(runtime, request)
    if checked.pictures:
        checked = _without(runtime, checked, await _blindness(runtime, gateway))
    if gateway is not None:
        return await _read(runtime, gateway, request, checked)
    embedding = start_embedding(runtime, checked.memories)
    now, owner = utc_now(), Scope(user_id=checked.scope.user_id)
    near, notes, (first, placed) = await asyncio.gather(
        _similar(runtime, checked.scope, checked.memories, embedding, now),
        unembedded_note(runtime, view(owner, now)),
        store_new(runtime, checked.memories, embedding, checked.request),
    )
    if first:
        return RememberResult(results=await _first_answer(runtime, checked.scope, first))
    results = [
        _result(one, [other for other in some if other.memory_id != one.memory.memory_id])
        for one, some in zip(placed, near, strict=True)
    ]
    _, degraded = await embedding
    return RememberResult(results=results, degraded=[*checked.degraded, *(degraded or notes)])


def _reader(runtime: Runtime, request: Remember) -> Gateway | None:
    """Return the language model that reads what is given; None to store it as it is."""
    given = request.messages is not None or request.infer == "always"
    return runtime.gateway if given and request.infer != "never" else None


async def _blindness(runtime: Runtime, gateway: Gateway | None) -> str:
    """Return why no picture of a request can be described; "" if some can."""
    if gateway is not None:
        return await blindness(runtime, gateway)
    if runtime.gateway is None:
        return "no language model is configured; set llm.model to one that reads images"
    return 'no language model is asked with infer "never"'


def _without(runtime: Runtime, checked: _Checked, blind: str) -> _Checked:
    """Leave out the pictures that cannot be described as things are set, and say so.

    Raises:
        InvalidInput: nothing else was given.
    """
    contents, out = left_out(checked.contents, runtime.settings, blind)
    kept = [place for place, content in enumerate(contents) if content.parts]
    if not kept:
        raise InvalidInput("messages", f"hold only pictures that cannot be described: {out[0][1]}")
    degraded = [f"messages[{place}]: a picture was left out: {why}" for place, why in out]
    contents = [contents[place] for place in kept]
    memories = [checked.memories[place] for place in kept]
    return replace(
        checked,
        memories=worded(memories, contents),
        contents=contents,
        degraded=[*checked.degraded, *degraded],
    )


async def _read(
    runtime: Runtime, gateway: Gateway, request: Remember, checked: _Checked
) -> RememberResult:
    """Store what the model learns; what it does not read is stored as it was given, and waits."""
    if request.kind == "procedure":
        return await _written_down(runtime, gateway, request, checked)
    store, contents = runtime.store, checked.contents
    async with store.alone(turn_of(checked.request)) if checked.request else nullcontext():
        # Stored before the model is asked: whatever ends this process, what was said is there, and
        # a repeated call goes on where this one was.
        # Without secrets: what is read ends, but its version stays in the history.
        bare = [with_text(memory, masked(memory.text)) for memory in checked.memories]
        raw = waiting(bare, request.instructions, contents or None)
        embedding = start_embedding(runtime, raw)
        first, placed = await store_new(runtime, raw, embedding, checked.request)
        _, degraded = await embedding
        ids = [memory.memory_id for memory in first or (one.memory for one in placed)]
        rows = [row for row in await rows_waiting(store, ids) if not is_kept(row.memory)]
        if not rows:
            return await _repeated(runtime, checked, first)
        texts: dict[str, str] = {}
        if first:
            contents = [content_of_row(row.memory) for row in rows]
        else:
            whole = zip(placed, checked.memories, strict=True)
            texts = {one.memory.memory_id: memory.text for one, memory in whole}
        with gateway.turn() as turn, being_read(rows):
            progress = await read_messages(
                runtime, gateway, checked.scope, rows, contents, texts,
                instructions=request.instructions, request=checked.request,
                on_progress=request.on_progress,
            )  # fmt: skip
        results = progress.results
        if first:
            again = await _repeated(runtime, checked, await _made(runtime, checked))
            results, degraded = again.results, again.degraded
        else:
            left = progress.unread_rows
            results = [*results, *(_result(_waits(row), []) for row in left)]
    degraded = [*checked.degraded, *degraded, *progress.degraded]
    return RememberResult(results=results, degraded=degraded, llm=turn.usage)


def _waits(row: Version) -> Insertion:
    return Insertion(row.memory, "ADD", is_new=False)


async def _made(runtime: Runtime, checked: _Checked) -> list[Memory]:
    return await stored_earlier(runtime.store, checked.request) if checked.request else []


async def _repeated(runtime: Runtime, checked: _Checked, made: Sequence[Memory]) -> RememberResult:
    """Return the answer to a repeated call: what its messages became, and what of them waits."""
    still = {
        row.memory.memory_id
        for row in await rows_waiting(runtime.store, [one.memory_id for one in made])
    }
    shown = [one for one in made if one.reason not in WAITING_REASONS or one.memory_id in still]
    degraded = [*checked.degraded]
    if still:
        degraded.append(
            f"{len(still)} of its messages wait for the language model, as they were given"
        )
    if not shown:
        return RememberResult(results=[], degraded=degraded)
    return RememberResult(
        results=await _first_answer(runtime, checked.scope, shown), degraded=degraded
    )


async def _written_down(
    runtime: Runtime, gateway: Gateway, request: Remember, checked: _Checked
) -> RememberResult:
    """Store the procedure that a log shows; a log that is not read is stored whole, and waits."""
    (memory,), degraded = checked.memories, checked.degraded
    if checked.request and (first := await stored_earlier(runtime.store, checked.request)):
        return RememberResult(results=await _first_answer(runtime, checked.scope, first))
    report = PartsReport(request.on_progress, 1)
    with gateway.turn() as turn:
        await report.begin()
        try:
            fields, dropped = await procedure(runtime, gateway, memory, request.instructions)
        except LLMError as error:
            (memory,) = waiting([memory], request.instructions)
            dropped = [f"the language model did not read it, so it waits as it was given: {error}"]
        else:
            memory = memory.model_copy(update=fields)
        await report.end()
    embedding = start_embedding(runtime, [memory])
    first, placed = await store_new(runtime, [memory], embedding, checked.request)
    results = [_result(one, []) for one in placed]
    if first:
        results = await _first_answer(runtime, checked.scope, first)
    notes = [*degraded, *dropped, *(await embedding)[1]]
    return RememberResult(results=results, degraded=notes, llm=turn.usage)


async def remember_many(runtime: Runtime, requests: Sequence[Remember]) -> RememberResult:
    """Store many texts with one embedding batch and one commit; `similar` is not looked for.

    Args:
        runtime: what to work with.
        requests: at most MOST_AT_ONCE memories in all.

    Raises:
        InvalidInput: an item was refused, named by its index; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    now = utc_now()
    memories: list[Memory] = []
    degraded: list[str] = []
    pictures = 0
    for index, request in enumerate(requests):
        try:
            if request.idempotency_key:
                raise InvalidInput("idempotency_key", "is for single calls of remember")
            checked = _check(runtime, request, now, MOST_PICTURES - pictures)
            if checked.pictures:
                pictures += checked.pictures
                checked = _without(runtime, checked, _MANY_ARE_NOT_READ)
                degraded += [f"items[{index}]: {note}" for note in checked.degraded]
        except InvalidInput as error:
            raise InvalidInput(f"items[{index}]", str(error)) from error
        memories += checked.memories
    if len(memories) > MOST_AT_ONCE:
        raise InvalidInput("items", f"{len(memories)} memories; at most {MOST_AT_ONCE} at once")
    stored = await store_memories(runtime, memories)
    return stored.model_copy(update={"degraded": [*degraded, *stored.degraded]})


async def store_memories(runtime: Runtime, memories: Sequence[Memory]) -> RememberResult:
    """Store memories that have every field but their identity, in one batch and one commit."""
    embedding = start_embedding(runtime, memories)
    _, placed = await store_new(runtime, memories, embedding)
    _, degraded = await embedding
    return RememberResult(results=[_result(one, []) for one in placed], degraded=degraded)


async def _first_answer(runtime: Runtime, scope: Scope, made: Sequence[Memory]) -> list[Remembered]:
    ids = [memory.version_id for memory in made]
    rows = await runtime.store.read({"version_id": {"in": ids}}, columns=["version_id", "vector"])
    vectors = {row.memory.version_id: row.vector for row in rows}

    async def known() -> list[Vector | None]:
        return [vectors.get(version_id) for version_id in ids]

    moment = made[0].recorded_at
    texts = [memory.text for memory in made]
    near = await similar(runtime, scope.user_id, texts, known, moment, MOST_SIMILAR)
    return [
        _result(Insertion(memory, memory.event, is_new=False), some)
        for memory, some in zip(made, near, strict=True)
    ]


async def _similar(
    runtime: Runtime,
    scope: Scope,
    memories: Sequence[Memory],
    embedding: Embedding,
    moment: datetime,
) -> list[list[Similar]]:
    async def vectors() -> list[Vector | None]:
        return [each.whole for each in (await embedding)[0]]

    with span("similar"):
        texts = [memory.text for memory in memories]
        return await similar(runtime, scope.user_id, texts, vectors, moment, MOST_SIMILAR + 1)


def _result(one: Insertion, near: list[Similar]) -> Remembered:
    memory = one.memory
    return Remembered(
        memory_id=memory.memory_id,
        event=one.event,
        text=memory.text,
        similar=near[:MOST_SIMILAR],
    )


def _check(
    runtime: Runtime, request: Remember, now: datetime, most_pictures: int = MOST_PICTURES
) -> _Checked:
    settings = runtime.settings
    scope = request.scope(settings.user_id)
    request_of = _key_of(request, scope)
    fields = {
        "tags": names(request.tags),
        "metadata": request.metadata or {},
        "entities": names(request.entities),
        "relations": request.relations or [],
        "valid_until": moment(request.valid_until),
        "expires_at": _expiry(moment(request.expires_at), now),
        "request_key": request_of.key if request_of else None,
    }
    occurred_at = moment(request.occurred_at) or now
    most = settings.remember.max_characters
    degraded = _unread(runtime, request) if runtime.gateway else _without_model(request)
    if request.messages is None:
        memory = _content(request, scope, now, {**fields, "occurred_at": occurred_at}, most)
        return _Checked(scope, [memory], request_of, degraded)
    if request.content:
        raise InvalidInput("content", "give either content or messages, not both")
    if request.kind not in ("", "message"):
        raise InvalidInput("kind", "messages are stored as kind message; leave it out")
    if not any(request.messages):
        raise InvalidInput("messages", f"takes 1 to {MOST_AT_ONCE} messages that say something")
    memories, contents = [], []
    for index, message in enumerate(request.messages):
        if message is None:  # a line of a transcript that nobody said
            continue
        spoken_fields = _message(message, f"messages[{index}]")
        content = content_of(
            message.get("content"),
            f"messages[{index}].content",
            settings,
            name=spoken_fields["actor_id"],
            most=most_pictures,
        )
        most_pictures -= len(content.pictures)
        spoken_fields["occurred_at"] = spoken_fields["occurred_at"] or occurred_at
        every_field = {**fields, **spoken_fields}
        memories.append(new_memory(scope, content.text, now, kind="message", **every_field))
        contents.append(content)
    return _Checked(scope, memories, request_of, degraded, contents)


async def _earlier(runtime: Runtime, request: Remember) -> list[Memory]:
    """Return what an earlier call with the same key stored; nothing if there is none."""
    key = _key_of(request, request.scope(runtime.settings.user_id))
    return await stored_earlier(runtime.store, key) if key else []


def _key_of(request: Remember, scope: Scope) -> IdempotencyKey | None:
    key = request.idempotency_key
    return IdempotencyKey(scope, scope.user_id, key, KINDS) if key else None


def _is_over(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now


def _expiry(given: datetime | None, now: datetime) -> datetime | None:
    """Refuse an end of recall that is past: the memory would be stored and never found."""
    if given is not None and _is_over(given, now):
        raise InvalidInput(
            "expires_at",
            f"{given:%Y-%m-%dT%H:%M:%SZ} is in the past, so it would never be recalled; give a "
            "later time, or valid_until for what was true until then",
        )
    return given


def _content(
    request: Remember, scope: Scope, now: datetime, fields: dict[str, Any], most: int
) -> Memory:
    text = checks.required_text(request.content, "content", most)
    kind = cast("Kind", request.kind or "fact")
    return new_memory(scope, text, now, kind=kind, **fields)


def _message(message: Mapping[str, Any], argument: str) -> dict[str, Any]:
    """Check who said a message, and when."""
    return {
        "role": checks.name(message.get("role"), f"{argument}.role"),
        "actor_id": checks.name(message.get("name"), f"{argument}.name"),
        "occurred_at": message.get("occurred_at"),
    }


def _unread(runtime: Runtime, request: Remember) -> list[str]:
    """Say what does nothing because the language model is not asked."""
    if _reader(runtime, request) is not None or not request.instructions.strip():
        return []
    why = 'with infer "never"' if request.infer == "never" else 'without infer "always"'
    return [f"the language model is not asked {why}: instructions were not applied"]


def _without_model(request: Remember) -> list[str]:
    notes = []
    if request.infer == "always":
        notes.append("no language model is configured: the text was stored as given")
    if request.instructions.strip():
        notes.append("no language model is configured: instructions were not applied")
    return notes
