"""What a language model learns from messages: asked once a window, each answer one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import isawaitable
from typing import Any

import numpy as np

from mem_mcp.api.models import Memory, Remembered, Scope
from mem_mcp.api.remember import Progress
from mem_mcp.errors import LLMError, LLMUnavailable, WriteConflict
from mem_mcp.extraction.plan import Change, Plan, PlanContext, plan, statements, verified
from mem_mcp.extraction.windows import ConversationWindow, windows
from mem_mcp.llm import Gateway
from mem_mcp.prompts import Utterance, extract, verify
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every, owned, recallable
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Vector, Version, unbroken
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import assign_ids, new_memory
from mem_mcp.writing.insert import IdempotencyKey, new_rows, stored_earlier
from mem_mcp.writing.versions import deletion, next_version

# Of a model whose window LiteLLM does not know, and at most: longer ones cost attention.
_WINDOW_TOKENS = 6_000
# Memories that a model is shown: so many near each message, and in all.
_NEAR_EACH = 5
_MOST_KNOWN = 20
_SHOWN_KINDS = ("fact", "procedure", "message")


@dataclass(frozen=True, slots=True)
class ExtractionInput:
    """What is to be learnt from."""

    scope: Scope
    said: Sequence[Utterance]
    fields: Mapping[str, Any]
    """Further fields of every new memory: tags, metadata and so on, as the caller gave them."""
    instructions: str = ""
    request: IdempotencyKey | None = None
    waited: Sequence[Version] = ()
    """Rows that held it until now; they end with it."""


def material(
    scope: Scope,
    given: Sequence[Memory],
    *,
    instructions: str,
    request: IdempotencyKey | None = None,
    waited: Sequence[Version] = (),
) -> ExtractionInput:
    """Return memories as they were given, at least one, as what is to be learnt from."""
    first = given[0]
    names = ("tags", "metadata", "entities", "relations", "expires_at")
    return ExtractionInput(
        scope=scope,
        said=[Utterance(one.text, one.role, one.actor_id, one.occurred_at) for one in given],
        fields={name: getattr(first, name) for name in names},
        instructions=instructions,
        request=request,
        waited=waited,
    )


@dataclass(slots=True)
class ExtractionProgress:
    """What became of it."""

    results: list[Remembered] = field(default_factory=list)
    first: list[Memory] = field(default_factory=list)
    """What an earlier call of the same request made; then nothing was done."""
    left: list[Utterance] = field(default_factory=list)
    """What the model did not read."""
    ahead: list[Utterance] = field(default_factory=list)
    """What it was not asked to read yet."""
    begun: bool = False
    """Whether a part is done, read or not."""
    failure: LLMError | None = None
    """Why, at the last of it."""
    degraded: list[str] = field(default_factory=list)

    def unread(self, given: ExtractionInput) -> list[int]:
        """Return the places of the messages that were not read, or not whole."""
        places = {id(said): place for place, said in enumerate(given.said)}
        found: set[int] = set()
        for left in (*self.left, *self.ahead):
            if id(left) in places:
                found.add(places[id(left)])
            else:  # a part of a message longer than a window
                found |= {n for n, said in enumerate(given.said) if left.text in said.text}
        return sorted(found)


async def infer(
    runtime: Runtime,
    gateway: Gateway,
    material: ExtractionInput,
    learnt: ExtractionProgress,
    on_progress: Progress | None = None,
) -> None:
    """Let the model read everything, in order, each part seeing what the ones before it left.

    A part that it does not read is left to the caller; the others count.

    Args:
        runtime: what to work with.
        gateway: to the model.
        material: what is to be learnt from.
        learnt: is filled part by part, so that it tells how far this came if it raises.
        on_progress: told after each part, read or not.

    Raises:
        WriteConflict: other writers kept winning, or what waited was changed meanwhile.
    """
    if material.request and (first := await stored_earlier(runtime.store, material.request)):
        learnt.first = first
        return
    parts = windows(material.said, await _window(gateway))
    learnt.ahead = [said for part in parts for said in part.new]
    for number, part in enumerate(parts):
        made = None
        try:
            made = await _asked(runtime, gateway, material, part)
        except LLMError as error:
            learnt.left += part.new
            learnt.failure = error
            learnt.degraded.append(_told(error, number, len(parts)))
        learnt.begun = True
        del learnt.ahead[: len(part.new)]
        if made is not None:
            last = number == len(parts) - 1 and not learnt.left
            learnt.first = await _apply(runtime, material, made, learnt, ends=last)
            if learnt.first:
                return
        told = on_progress(number + 1, len(parts)) if on_progress else None
        if isawaitable(told):
            await told


async def _window(gateway: Gateway) -> int:
    try:
        known = await gateway.context_window()
    except LLMError:
        known = None
    return min(_WINDOW_TOKENS, known // 2) if known else _WINDOW_TOKENS


async def _asked(
    runtime: Runtime, gateway: Gateway, material: ExtractionInput, part: ConversationWindow
) -> Plan:
    now = utc_now()
    known = await _near(runtime, material.scope, part, now)
    settings = runtime.settings
    asked = PlanContext(
        material.scope, part.new, known, now, settings.remember.max_characters, part.context
    )
    messages = extract.messages(
        part.new,
        now=now,
        known=known,
        context=part.context,
        instructions=runtime.instructions(material.instructions),
        guidance=runtime.prompts.extract,
    )
    with span("model"):
        answer = (await gateway.complete(messages, extract.Extraction)).answer
    made = plan(answer, asked)
    if settings.llm.verify and (claims := statements(made)):
        checks = verify.messages(
            claims, part.new, now=now, context=part.context, guidance=runtime.prompts.verify
        )
        made = verified(made, (await gateway.complete(checks, verify.Verification)).answer)
    return made


async def _near(
    runtime: Runtime, scope: Scope, part: ConversationWindow, now: datetime
) -> list[Memory]:
    """Return the memories nearest to any of the new messages, nearest first."""
    vectors, _ = await runtime.embed([said.text for said in part.new])
    present = [vector for vector in vectors if vector is not None]
    if not present:
        return []
    whose = Scope(user_id=scope.user_id, agent_id=scope.agent_id)
    seen = every(owned(whose), recallable(now), {"kind": {"in": [*_SHOWN_KINDS]}})
    found = await runtime.store.nearest(
        np.stack(present),
        every(seen, {"status": {"ne": "pending"}}),
        ["memory_id"],
        limit=_NEAR_EACH,
    )
    best: dict[str, float] = {}
    for row in (row for rows in found for row in rows):
        best[row["memory_id"]] = max(best.get(row["memory_id"], -1.0), row["cosine"])
    ids = sorted(best, key=lambda memory_id: -best[memory_id])[:_MOST_KNOWN]
    if not ids:
        return []
    rows = await runtime.store.read(every({"memory_id": {"in": ids}}, current()))
    by_id = {row.memory.memory_id: row.memory for row in rows}
    return [by_id[memory_id] for memory_id in ids if memory_id in by_id]


@unbroken
async def _apply(
    runtime: Runtime,
    material: ExtractionInput,
    made: Plan,
    learnt: ExtractionProgress,
    *,
    ends: bool,
) -> list[Memory]:
    """Write a plan in one commit; return what an earlier call of the request made, if it did."""
    store, scope = runtime.store, material.scope
    now = utc_now()
    drafts = [_draft(material, added.text, added.fields, now) for added in made.add]
    changed = {
        change.memory.memory_id: change for change in (*made.update, *made.ended, *made.delete)
    }
    texts = [memory.text for memory in drafts]
    texts += [change.fields["text"] for change in made.update]
    vectors: list[Vector | None] = (await runtime.embed(texts))[0] if texts else []
    new_texts = dict(zip(texts, vectors, strict=True))
    written: set[tuple[str, datetime]] = set()
    for attempt in range(WRITE_ATTEMPTS):
        async with store.alone("append"):
            # What earlier parts of this very call came to has the request's key, too.
            begins = not learnt.results and not written
            if (
                begins
                and material.request
                and (first := await stored_earlier(store, material.request))
            ):
                await store.settle()
                return first
            waiting = await _still_waiting(runtime, material.waited)
            if not attempt and len(waiting) < len(material.waited):
                raise WriteConflict("what waits was changed meanwhile; try again")
            rows = await _current(runtime, changed)
            placed = await assign_ids(store, drafts, utc_now(), written)
            add = new_rows(
                placed,
                [new_texts[one.memory.text] if one.is_new else None for one in placed],
            )
            fresh = {
                memory_id: change
                for memory_id, change in changed.items()
                if memory_id in rows and rows[memory_id].memory.version == change.memory.version
            }
            pairs = [
                _successor(scope, rows[memory_id], change, change in made.delete, new_texts)
                for memory_id, change in fresh.items()
            ]
            pairs += [
                deletion(row, scope, utc_now(), "read by the language model")
                for row in (waiting if ends else ())
            ]
            written |= {(row.memory.version_id, row.memory.recorded_at) for row in add}
            opened, closed = [new for _, new in pairs], [old for old, _ in pairs]
            if not (add or opened):
                await store.settle()
                break
            if await store.apply([*opened, *add], close=closed):
                break
    else:
        raise WriteConflict("others keep changing these memories; try again")
    learnt.degraded += made.degraded
    learnt.degraded += [
        f"memory {memory_id} was changed meanwhile and stays as it is"
        for memory_id in changed
        if memory_id not in fresh
    ]
    learnt.results += [
        Remembered(memory_id=one.memory.memory_id, event=one.event, text=one.memory.text)
        for one in placed
    ]
    learnt.results += [
        _result(change, "DELETE" if change in made.delete else "UPDATE")
        for change in fresh.values()
    ]
    learnt.results += [
        Remembered(memory_id=memory.memory_id, event="NONE", text=memory.text)
        for memory in made.none
        if memory is not None
    ]
    return []


async def _still_waiting(runtime: Runtime, rows: Sequence[Version]) -> list[Version]:
    """Return those rows that are current: not forgotten, corrected or read by others meanwhile."""
    if not rows:
        return []
    named = {"version_id": {"in": [row.memory.version_id for row in rows]}}
    found = await runtime.store.read(every(named, current()), columns=["version_id"])
    ids = {row.memory.version_id for row in found}
    return [row for row in rows if row.memory.version_id in ids]


async def _current(runtime: Runtime, changed: Mapping[str, Change]) -> dict[str, Version]:
    if not changed:
        return {}
    rows = await runtime.store.read(
        every({"memory_id": {"in": [*changed]}}, current()), columns=EVERY_FIELD
    )
    return {row.memory.memory_id: row for row in rows}


def _draft(material: ExtractionInput, text: str, told: Mapping[str, Any], now: datetime) -> Memory:
    given, fields = material.fields, dict(told)
    for name in ("tags", "entities", "relations"):
        both = [*given.get(name, []), *fields.get(name, [])]
        fields[name] = [one for place, one in enumerate(both) if one not in both[:place]]
    merged = {**given, **fields}
    if material.request:
        merged["request_key"] = material.request.key
    return new_memory(material.scope, text, now, **merged)


def _successor(
    scope: Scope,
    row: Version,
    change: Change,
    deletes: bool,
    vectors: Mapping[str, Vector | None],
) -> tuple[Version, Version]:
    if deletes:
        return deletion(row, scope, utc_now(), change.reason)
    fields: dict[str, Any] = {**change.fields, "reason": change.reason}
    vector = row.vector
    if "text" in fields:
        vector = vectors[fields["text"]]
        fields["content_hash"] = content_hash(fields["text"])
    return next_version(row, "UPDATE", scope, utc_now(), fields=fields, vector=vector)


def _result(change: Change, event: Any) -> Remembered:  # noqa: ANN401
    return Remembered(
        memory_id=change.memory.memory_id,
        event=event,
        text=change.fields.get("text", change.memory.text),
        previous_text=change.memory.text,
    )


def _told(error: LLMError, number: int, parts: int) -> str:
    where = f"part {number + 1} of {parts}: " if parts > 1 else ""
    kind = f" ({error.reason})" if isinstance(error, LLMUnavailable) else ""
    return f"{where}the language model did not read it{kind}, so it waits as it was given: {error}"
