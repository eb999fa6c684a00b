"""Write what an answer comes to: one commit for each window."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from mem_mcp.api.models import Memory, Remembered, Scope
from mem_mcp.errors import WriteConflict
from mem_mcp.extraction.field_parsing import shortened
from mem_mcp.extraction.material import ExtractionInput, ExtractionProgress, places
from mem_mcp.extraction.passing_on import credits_passed_on, pass_ratings_on
from mem_mcp.extraction.pending import kept as kept_fields
from mem_mcp.extraction.pending import waiting as waiting_rows
from mem_mcp.extraction.plan import Change, Plan
from mem_mcp.extraction.quotes import Passages
from mem_mcp.extraction.secrets import masked
from mem_mcp.extraction.windows import ConversationWindow
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import TextVectors, Version, unbroken
from mem_mcp.text import content_hash
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import Insertion, assign_ids, new_memory
from mem_mcp.writing.insert import new_rows, stored_earlier, superseded
from mem_mcp.writing.text_vectors import embed_said
from mem_mcp.writing.versions import deletion, next_version

_MASKED = ("text", "content_hash")


@unbroken
async def apply_plan(
    runtime: Runtime,
    material: ExtractionInput,
    made: Plan,
    learnt: ExtractionProgress,
    window: ConversationWindow,
    read: Sequence[int],
) -> list[Memory]:
    """Write a plan in one commit; return what an earlier call of the request made, if it did.

    Args:
        runtime: what to work with.
        material: what is to be learnt from.
        made: the plan.
        learnt: takes the results.
        window: what the plan is of.
        read: places of the messages that need not wait any longer.
    """
    store, scope = runtime.store, material.scope
    now = utc_now()
    kept = _kept(material, made, window)
    drafts = [_draft(material, added.text, added.fields, now) for added in made.add]
    drafts += [] if material.waited else kept
    changed = {
        change.memory.memory_id: change for change in (*made.update, *made.ended, *made.delete)
    }
    written_anew = [change.fields["text"] for change in made.update]
    embedded = [*drafts, *(kept if material.waited else [])]
    texts = [*(memory.text for memory in embedded), *written_anew]
    heard = [(memory.actor_id, memory.text) for memory in embedded]
    vectors, _ = await embed_said(runtime, [*heard, *((None, text) for text in written_anew)])
    new_texts = dict(zip(texts, vectors, strict=True))
    written: set[tuple[str, datetime]] = set()
    for attempt in range(WRITE_ATTEMPTS):
        async with store.alone("append"):
            # What earlier parts of this very call came to has the request's key, too.
            begins = not learnt.results and not written
            if (
                begins
                and not material.waited
                and material.request
                and (first := await stored_earlier(store, material.request))
            ):
                await store.settle()
                return first
            held = [material.waited[one] for one in read] if material.waited else []
            waiting = await _still_waiting(runtime, held)
            if not attempt and len(waiting) < len(held):
                await store.settle()
                raise WriteConflict("what waits was changed meanwhile; try again")
            rows = await _current(runtime, changed)
            others = [*changed, *(row.memory.memory_id for row in material.waited)]
            placed = await assign_ids(store, drafts, utc_now(), written, others)
            add = new_rows(placed, [new_texts[draft.text] for draft in drafts])
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
                deletion(row, scope, utc_now(), "read by the language model") for row in waiting
            ]
            pairs += [
                next_version(
                    row,
                    "UPDATE",
                    scope,
                    utc_now(),
                    fields={**kept_fields(row), **{name: getattr(one, name) for name in _MASKED}},
                    vectors=row.vectors if one.text == row.memory.text else new_texts[one.text],
                )
                for row, one in await _still_kept(runtime, material, kept)
            ]
            written |= {(row.memory.version_id, row.memory.recorded_at) for row in add}
            became = _successors(material, made, learnt, placed, fresh)
            await pass_ratings_on(runtime, waiting, became)
            pairs += await credits_passed_on(runtime, waiting, became)
            opened, closed = [new for _, new in pairs], [old for old, _ in pairs]
            closed += superseded(placed)
            if not (add or opened):
                await store.settle()
                break
            if await store.apply([*opened, *add], close=closed):
                break
    else:
        raise WriteConflict("others keep changing these memories; try again")
    learnt.became = became
    _note(learnt, material, made, placed, kept, changed.keys(), fresh)
    return []


def _note(
    learnt: ExtractionProgress,
    material: ExtractionInput,
    made: Plan,
    placed: Sequence[Insertion],
    kept: Sequence[Memory],
    changed: Collection[str],
    fresh: Mapping[str, Change],
) -> None:
    """Add to the answer what a plan came to."""
    learnt.degraded += made.degraded
    learnt.degraded += [
        f"{shortened(one.text)} is kept as it was given, as the language model passed over it"
        for one in kept
    ]
    learnt.degraded += [
        f"memory {memory_id} was changed meanwhile and stays as it is"
        for memory_id in changed
        if memory_id not in fresh
    ]
    learnt.results += [
        Remembered(memory_id=one.memory.memory_id, event=one.event, text=one.memory.text)
        for one in placed
    ]
    if material.waited:
        learnt.results += [
            Remembered(memory_id=one.memory_id, event="ADD", text=one.text) for one in kept
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


async def _still_waiting(runtime: Runtime, rows: Sequence[Version]) -> list[Version]:
    """Return those rows that are current: not forgotten, corrected or read by others meanwhile."""
    if not rows:
        return []
    named = {"version_id": {"in": [row.memory.version_id for row in rows]}}
    found = await runtime.store.read(every(named, current()), columns=["version_id"])
    ids = {row.memory.version_id for row in found}
    return [row for row in rows if row.memory.version_id in ids]


async def _still_kept(
    runtime: Runtime, material: ExtractionInput, kept: Sequence[Memory]
) -> list[tuple[Version, Memory]]:
    """Return the rows of kept messages that still wait, with what they hold from now on."""
    by_id = {one.memory_id: one for one in kept}
    rows = [row for row in material.waited if row.memory.memory_id in by_id]
    return [(row, by_id[row.memory.memory_id]) for row in await _still_waiting(runtime, rows)]


async def _current(runtime: Runtime, changed: Mapping[str, Change]) -> dict[str, Version]:
    if not changed:
        return {}
    rows = await runtime.store.read(
        every({"memory_id": {"in": [*changed]}}, current()), columns=EVERY_FIELD
    )
    return {row.memory.memory_id: row for row in rows}


def _kept(material: ExtractionInput, made: Plan, window: ConversationWindow) -> list[Memory]:
    """Return the messages that an answer did not read, as rows that wait, without secrets."""
    found = sorted({place for one in made.keep for place in places(material, window.new[one])})
    bare = []
    for index in found:
        text = masked(material.given[index].text)
        update = {"text": text, "content_hash": content_hash(text)}
        bare.append(material.given[index].model_copy(update=update))
    return waiting_rows(bare, material.instructions)


def _successors(
    material: ExtractionInput,
    made: Plan,
    learnt: ExtractionProgress,
    placed: Sequence[Insertion],
    changed: Mapping[str, Change],
) -> dict[str, list[str]]:
    """Return what the messages that wait became so far: the memories that quote them."""
    quoted = [
        (one.fields["evidence"][0], insertion.memory.memory_id)
        for one, insertion in zip(made.add, placed, strict=False)
    ]
    quoted += [
        (change.quote, memory_id)
        for memory_id, change in changed.items()
        if change not in made.delete
    ]
    became = {memory_id: [*ids] for memory_id, ids in learnt.became.items()}
    said = Passages([each.text for each in material.said])
    for quote, memory_id in quoted:
        for place in said.holding(quote) if material.waited else ():
            ids = became.setdefault(material.waited[place].memory.memory_id, [])
            if memory_id not in ids:
                ids.append(memory_id)
    return became


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
    vectors: Mapping[str, TextVectors],
) -> tuple[Version, Version]:
    if deletes:
        return deletion(row, scope, utc_now(), change.reason)
    fields: dict[str, Any] = {**change.fields, "reason": change.reason}
    its = row.vectors
    if "text" in fields:
        its = vectors[fields["text"]]
        fields["content_hash"] = content_hash(fields["text"])
    return next_version(row, "UPDATE", scope, utc_now(), fields=fields, vectors=its)


def _result(change: Change, event: Any) -> Remembered:  # noqa: ANN401
    return Remembered(
        memory_id=change.memory.memory_id,
        event=event,
        text=change.fields.get("text", change.memory.text),
        previous_text=change.memory.text,
    )
