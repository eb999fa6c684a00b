"""remember: store texts, each once, and say what is already known that is like them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mem_mcp.engine import arguments
from mem_mcp.engine.arguments import Time
from mem_mcp.engine.drafts import Placed, new_memory
from mem_mcp.engine.infer import infer, material
from mem_mcp.engine.pending import waiting
from mem_mcp.engine.procedure import procedure
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.similar import similar
from mem_mcp.engine.writing import Embedding, Keyed, embedding_of, made_before, store_new
from mem_mcp.errors import InvalidInput, LLMError
from mem_mcp.llm import Gateway
from mem_mcp.models import Infer, Kind, Memory, Remembered, RememberResult, Scope, Similar
from mem_mcp.telemetry import span
from mem_mcp.text import check_text
from mem_mcp.times import optional_time, utc_now

KINDS: tuple[Kind, ...] = ("fact", "message", "procedure")
MOST_AT_ONCE = 1_000
MOST_SIMILAR = 3
MAX_INSTRUCTIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `remember`, as the caller gave them."""

    content: str = ""
    messages: Sequence[Mapping[str, Any]] | None = None
    user_id: str = ""
    agent_id: str = ""
    run_id: str = ""
    kind: str = ""
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    entities: Sequence[str] | None = None
    relations: Sequence[Mapping[str, str]] | None = None
    occurred_at: Time = None
    expires_at: Time = None
    infer: Infer = "auto"
    instructions: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class _Checked:
    scope: Scope
    memories: list[Memory]
    request: Keyed | None
    degraded: list[str] = field(default_factory=list)


async def remember(resources: Resources, request: Request) -> RememberResult:
    """Store one text or the messages of a conversation.

    Raises:
        InvalidInput: an argument was refused; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    checked = _check(resources, request, utc_now())
    if (gateway := _reader(resources, request)) is not None:
        return await _read(resources, gateway, request, checked)
    embedding = embedding_of(resources, checked.memories)
    near, (first, placed) = await asyncio.gather(
        _similar(resources, checked.scope, embedding, utc_now()),
        store_new(resources, checked.memories, embedding, checked.request),
    )
    if first:
        return RememberResult(results=await _first_answer(resources, checked.scope, first))
    results = [
        _result(one, [other for other in some if other.memory_id != one.memory.memory_id])
        for one, some in zip(placed, near, strict=True)
    ]
    _, degraded = await embedding
    return RememberResult(results=results, degraded=[*checked.degraded, *degraded])


def _reader(resources: Resources, request: Request) -> Gateway | None:
    """Return the language model that reads what is given; None to store it as it is."""
    given = request.messages is not None or request.infer == "always"
    return resources.gateway if given and request.infer != "never" else None


async def _read(
    resources: Resources, gateway: Gateway, request: Request, checked: _Checked
) -> RememberResult:
    """Store what the model learns; what it does not read is stored as it was given, and waits."""
    raw = checked.memories
    if request.kind == "procedure":
        return await _written_down(resources, gateway, request, checked)
    given = material(checked.scope, raw, instructions=request.instructions, request=checked.request)
    with gateway.turn() as turn:
        learnt = await infer(resources, gateway, given)
    results, degraded, first = learnt.results, [*checked.degraded, *learnt.degraded], learnt.first
    if learnt.left and not first:
        kept = waiting([raw[place] for place in learnt.unread(given)], request.instructions)
        embedding = embedding_of(resources, kept)
        # What other parts came to has the request's key already.
        keyed = None if learnt.results else checked.request
        first, placed = await store_new(resources, kept, embedding, keyed)
        results = [*results, *(_result(one, []) for one in placed)]
        degraded += (await embedding)[1]
    if first:
        results = await _first_answer(resources, checked.scope, first)
    return RememberResult(results=results, degraded=degraded, llm=turn.usage)


async def _written_down(
    resources: Resources, gateway: Gateway, request: Request, checked: _Checked
) -> RememberResult:
    """Store the procedure that a log shows; a log that is not read is stored whole, and waits."""
    (memory,), degraded = checked.memories, checked.degraded
    if checked.request and (first := await made_before(resources.store, checked.request)):
        return RememberResult(results=await _first_answer(resources, checked.scope, first))
    with gateway.turn() as turn:
        try:
            fields, dropped = await procedure(resources, gateway, memory, request.instructions)
        except LLMError as error:
            (memory,) = waiting([memory], request.instructions)
            dropped = [f"the language model did not read it, so it waits as it was given: {error}"]
        else:
            memory = memory.model_copy(update=fields)
    embedding = embedding_of(resources, [memory])
    first, placed = await store_new(resources, [memory], embedding, checked.request)
    results = [_result(one, []) for one in placed]
    if first:
        results = await _first_answer(resources, checked.scope, first)
    notes = [*degraded, *dropped, *(await embedding)[1]]
    return RememberResult(results=results, degraded=notes, llm=turn.usage)


async def remember_many(resources: Resources, requests: Sequence[Request]) -> RememberResult:
    """Store many texts with one embedding batch and one commit; `similar` is not looked for.

    Args:
        resources: what to work with.
        requests: at most MOST_AT_ONCE memories in all.

    Raises:
        InvalidInput: an item was refused, named by its index; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    now = utc_now()
    memories: list[Memory] = []
    for index, request in enumerate(requests):
        try:
            if request.idempotency_key:
                raise InvalidInput("idempotency_key", "is for single calls of remember")
            checked = _check(resources, request, now)
        except InvalidInput as error:
            raise InvalidInput(f"items[{index}]", str(error)) from error
        memories += checked.memories
    if len(memories) > MOST_AT_ONCE:
        raise InvalidInput("items", f"{len(memories)} memories; at most {MOST_AT_ONCE} at once")
    return await store_memories(resources, memories)


async def store_memories(resources: Resources, memories: Sequence[Memory]) -> RememberResult:
    """Store memories that have every field but their identity, in one batch and one commit."""
    embedding = embedding_of(resources, memories)
    _, placed = await store_new(resources, memories, embedding)
    _, degraded = await embedding
    return RememberResult(results=[_result(one, []) for one in placed], degraded=degraded)


async def _first_answer(
    resources: Resources, scope: Scope, made: Sequence[Memory]
) -> list[Remembered]:
    ids = [memory.version_id for memory in made]
    rows = await resources.store.read({"version_id": {"in": ids}}, columns=["version_id", "vector"])
    vectors = {row.memory.version_id: row.vector for row in rows}
    known = [vectors.get(version_id) for version_id in ids]
    moment = made[0].recorded_at
    near = await similar(resources, scope.user_id, known, moment, MOST_SIMILAR)
    return [
        _result(Placed(memory, memory.event, is_new=False), some)
        for memory, some in zip(made, near, strict=True)
    ]


async def _similar(
    resources: Resources, scope: Scope, embedding: Embedding, moment: datetime
) -> list[list[Similar]]:
    vectors, _ = await embedding
    with span("similar"):
        return await similar(resources, scope.user_id, vectors, moment, MOST_SIMILAR + 1)


def _result(one: Placed, near: list[Similar]) -> Remembered:
    memory = one.memory
    return Remembered(
        memory_id=memory.memory_id,
        event=one.event,
        text=memory.text,
        similar=near[:MOST_SIMILAR],
    )


def _check(resources: Resources, request: Request, now: datetime) -> _Checked:
    settings = resources.settings
    scope = arguments.scope(settings, request.user_id, request.agent_id, request.run_id)
    arguments.one_of(request.infer, "infer", arguments.literal(Infer))
    key = arguments.name(request.idempotency_key, "idempotency_key")
    request_of = Keyed(scope, scope.user_id, key, KINDS) if key else None
    fields = {
        "tags": arguments.names(request.tags, "tags"),
        "metadata": arguments.metadata(request.metadata),
        "entities": arguments.names(request.entities, "entities"),
        "relations": arguments.relations(request.relations),
        "expires_at": optional_time(request.expires_at, "expires_at"),
        "request_key": key,
    }
    occurred_at = optional_time(request.occurred_at, "occurred_at") or now
    most = settings.remember.max_characters
    degraded = [] if resources.gateway else _without_model(request)
    check_text(request.instructions, "instructions", MAX_INSTRUCTIONS)
    if request.messages is None:
        memory = _content(request, scope, now, {**fields, "occurred_at": occurred_at}, most)
        return _Checked(scope, [memory], request_of, degraded)
    if request.content:
        raise InvalidInput("content", "give either content or messages, not both")
    if request.kind not in ("", "message"):
        raise InvalidInput("kind", "messages are stored as kind message; leave it out")
    if isinstance(request.messages, str) or not isinstance(request.messages, Sequence):
        raise InvalidInput("messages", "must be a list of {role, content}")
    if not 1 <= len(request.messages) <= MOST_AT_ONCE:
        raise InvalidInput("messages", f"takes 1 to {MOST_AT_ONCE} messages")
    memories = []
    for index, message in enumerate(request.messages):
        spoken_fields, text, pictures = _message(message, f"messages[{index}]", most)
        degraded += [f"messages[{index}]: a picture was not described"] * pictures
        spoken_fields["occurred_at"] = spoken_fields["occurred_at"] or occurred_at
        memories.append(new_memory(scope, text, now, kind="message", **{**fields, **spoken_fields}))
    return _Checked(scope, memories, request_of, degraded)


def _content(
    request: Request, scope: Scope, now: datetime, fields: dict[str, Any], most: int
) -> Memory:
    text = arguments.required_text(request.content, "content", most)
    if request.kind in ("outcome", "lesson"):
        raise InvalidInput("kind", f"{request.kind!r} is what record_outcome stores, not remember")
    kind = arguments.one_of(request.kind or "fact", "kind", KINDS)
    return new_memory(scope, text, now, kind=kind, **fields)


def _message(
    message: Mapping[str, Any], argument: str, most: int
) -> tuple[dict[str, Any], str, int]:
    if not isinstance(message, Mapping):
        raise InvalidInput(argument, "must be {role, content}, with name and occurred_at if known")
    if unknown := set(message) - {"role", "content", "name", "occurred_at"}:
        raise InvalidInput(
            argument,
            f"has no field {min(unknown)!r}; allowed: role, content, name, occurred_at",
        )
    text, pictures = _message_text(message.get("content"), f"{argument}.content", most)
    fields = {
        "role": arguments.name(message.get("role"), f"{argument}.role"),
        "actor_id": arguments.name(message.get("name"), f"{argument}.name"),
        "occurred_at": optional_time(message.get("occurred_at"), f"{argument}.occurred_at"),
    }
    return fields, text, pictures


def _message_text(content: object, argument: str, most: int) -> tuple[str, int]:
    if not isinstance(content, list | tuple):
        return arguments.required_text(content, argument, most), 0
    texts, pictures = [], 0
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            texts.append(check_text(part.get("text"), argument, most))
        elif kind in ("image", "image_url"):
            pictures += 1
        else:
            raise InvalidInput(argument, "parts have the type text, image or image_url")
    text = "\n".join(texts)
    if not text.strip() and pictures:
        raise InvalidInput(argument, "has only pictures, which this version cannot describe")
    return arguments.required_text(text, argument, most), pictures


def _without_model(request: Request) -> list[str]:
    notes = []
    if request.infer == "always":
        notes.append("no language model is configured: the text was stored as given")
    if request.instructions.strip():
        notes.append("no language model is configured: instructions were not applied")
    return notes
