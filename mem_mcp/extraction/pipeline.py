"""Let a language model read messages: a request for each window, a commit for each answer.

Windows are read side by side and committed in their order. A window whose answer is cut, or that
does not fit the model, is read again in smaller parts. A message that an answer did not read is
kept as it was given (`coverage` has the rule); so is what the model was not asked for in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from inspect import isawaitable
from typing import Any

import numpy as np

from mem_mcp.api.models import Memory, Remembered, Scope
from mem_mcp.api.remember import Progress
from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMContextTooLong, LLMCut, LLMError, LLMUnavailable, WriteConflict
from mem_mcp.extraction.coverage import sentences
from mem_mcp.extraction.field_parsing import shortened
from mem_mcp.extraction.pending import kept as kept_fields
from mem_mcp.extraction.pending import waiting as waiting_rows
from mem_mcp.extraction.plan import Change, Plan, PlanContext, plan, statements, verified
from mem_mcp.extraction.secrets import masked
from mem_mcp.extraction.text_splitter import parts as text_parts
from mem_mcp.extraction.windows import OVERLAP, ConversationWindow, windows
from mem_mcp.llm import Gateway
from mem_mcp.prompts import Utterance, extract, verify
from mem_mcp.prompts.conversation import message
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every, owned, recallable
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Vector, Version, unbroken
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash, count_tokens
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import assign_ids, new_memory
from mem_mcp.writing.insert import IdempotencyKey, new_rows, stored_earlier
from mem_mcp.writing.memory_text import embedded_text
from mem_mcp.writing.versions import deletion, next_version

# Of a model whose window LiteLLM does not know, and at most: longer ones cost attention.
_WINDOW_TOKENS = 6_000
_SMALL_WINDOW_TOKENS = 800
# Windows smaller than this are not made only to be read side by side.
_LEAST_WINDOW_TOKENS = 1_500
# A small model's answer: bounded by what it reads, so that it cannot repeat itself for long.
_SMALL_ANSWER_TOKENS = (300, 1_500)
_TOKENS_ANSWERED = 4
_MASKED = ("text", "content_hash")
# A message of fewer tokens is not cut in two.
_LEAST_MESSAGE_TOKENS = 100
# Memories that a model is shown: so many near each message, and in all.
_NEAR_EACH = 5
_MOST_KNOWN = 20
_SHOWN_KINDS = ("fact", "procedure", "message")


@dataclass(frozen=True, slots=True)
class ExtractionInput:
    """What is to be learnt from."""

    scope: Scope
    said: Sequence[Utterance]
    given: Sequence[Memory]
    """The same messages as memories, one for each."""
    fields: Mapping[str, Any]
    """Further fields of every new memory: tags, metadata and so on, as the caller gave them."""
    instructions: str = ""
    request: IdempotencyKey | None = None
    waited: Sequence[Version] = ()
    """Rows that hold the messages, one for each, if they waited; each ends when it is read."""


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
        given=given,
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
    unread_rows: Sequence[Version] = ()
    """Rows that go on waiting, as the model did not read them."""
    kept: set[int] = field(default_factory=set)
    """Places of the messages that an answer did not read."""

    def unread(self, given: ExtractionInput) -> list[int]:
        """Return the places of the messages that were not read, or not whole."""
        return sorted(
            {place for said in (*self.left, *self.ahead) for place in places(given, said)}
        )


def places(given: ExtractionInput, said: Utterance) -> list[int]:
    """Return the places of a message, or of those that hold a part of one."""
    for index, whole in enumerate(given.said):
        if whole is said:
            return [index]
    return [index for index, whole in enumerate(given.said) if said.text in whole.text]


Outcome = tuple[ConversationWindow, "Plan | LLMError"]
"""What became of a window, or of a part of one."""


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
    if (
        not material.waited
        and material.request
        and (first := await stored_earlier(runtime.store, material.request))
    ):
        learnt.first = first
        return
    parts = windows(material.said, await _window(runtime, gateway, material))
    learnt.ahead = [said for part in parts for said in part.new]
    reading = [asyncio.create_task(_read(runtime, gateway, material, part)) for part in parts]
    try:
        for number, (part, task) in enumerate(zip(parts, reading, strict=True)):
            outcomes = await task
            learnt.begun = True
            # What is not in a plan below waits: so it is no longer ahead, but left.
            del learnt.ahead[: len(part.new)]
            for window, outcome in outcomes:
                if isinstance(outcome, LLMError):
                    learnt.left += window.new
                    learnt.failure = outcome
                    learnt.degraded.append(_told(outcome, number, len(parts)))
            for window, outcome in outcomes:
                if isinstance(outcome, LLMError):
                    continue
                read = _read_whole(material, learnt, window, outcome)
                learnt.first = await _apply(runtime, material, outcome, learnt, window, read)
                if learnt.first:
                    return
            told = on_progress(number + 1, len(parts)) if on_progress else None
            if isawaitable(told):
                await told
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


def _read_whole(
    material: ExtractionInput, learnt: ExtractionProgress, window: ConversationWindow, made: Plan
) -> list[int]:
    """Return the places of the messages that end with this window: read whole, and not kept."""
    kept = {place for one in made.keep for place in places(material, window.new[one])}
    learnt.kept |= kept
    mine = {place for said in window.new for place in places(material, said)}
    return sorted(mine - learnt.kept - set(learnt.unread(material)))


async def _window(runtime: Runtime, gateway: Gateway, material: ExtractionInput) -> int:
    """Return the tokens of a window: large enough, and so that all are read at the same time."""
    try:
        known = await gateway.context_window()
    except LLMError:
        known = None
    most = _SMALL_WINDOW_TOKENS if gateway.is_small else _WINDOW_TOKENS
    most = min(most, _WINDOW_TOKENS, known // 2 if known else _WINDOW_TOKENS)
    whole = sum(count_tokens(message(said)) for said in material.said)
    share = -(-whole // runtime.settings.llm.concurrency)
    return min(most, max(share + share // 10, _LEAST_WINDOW_TOKENS))


async def _read(
    runtime: Runtime, gateway: Gateway, material: ExtractionInput, part: ConversationWindow
) -> list[Outcome]:
    """Let the model read a window, in smaller parts where its answer would be too long."""
    try:
        made, cut = await _asked(runtime, gateway, material, part)
    except (LLMCut, LLMContextTooLong) as error:
        rest = _halves(part)
        if not rest:
            return [(part, error)]
        read: list[Outcome] = []
    except LLMError as error:
        return [(part, error)]
    else:
        read = [(part, made)]
        if not (cut and made.keep):
            return read
        rest = _rest(part, made.keep)
        if not rest:
            return read
        made.keep.clear()
    smaller = await asyncio.gather(*(_read(runtime, gateway, material, each) for each in rest))
    return [*read, *(outcome for each in smaller for outcome in each)]


def _halves(part: ConversationWindow) -> list[ConversationWindow]:
    """Cut a window in two; empty if it is too short for that."""
    new, middle = part.new, len(part.new) // 2
    if middle:
        before = new[max(0, middle - OVERLAP) : middle]
        return [
            ConversationWindow(new[:middle], part.context),
            ConversationWindow(new[middle:], before),
        ]
    tokens = count_tokens(new[0].text)
    if tokens < _LEAST_MESSAGE_TOKENS:
        return []
    texts = text_parts(new[0].text, tokens // 2 + 1, count_tokens)
    return [ConversationWindow((replace(new[0], text=text),), part.context) for text in texts]


def _rest(part: ConversationWindow, keep: Sequence[int]) -> list[ConversationWindow]:
    """Return what an answer that was cut left unread, in windows as large as what it read."""
    if len(keep) == len(part.new):
        return _halves(part)
    size = len(part.new) - len(keep)
    windows_left = []
    for start in range(0, len(keep), size):
        chosen = keep[start : start + size]
        before = part.new[max(0, chosen[0] - OVERLAP) : chosen[0]]
        new = tuple(part.new[place] for place in chosen)
        windows_left.append(ConversationWindow(new, before or part.context))
    return windows_left


async def _asked(
    runtime: Runtime, gateway: Gateway, material: ExtractionInput, part: ConversationWindow
) -> tuple[Plan, bool]:
    """Return what an answer comes to, and whether it was cut."""
    now = utc_now()
    known = await _near(runtime, material.scope, part, now)
    settings, small = runtime.settings, gateway.is_small
    messages = extract.messages(
        part.new,
        now=now,
        known=known,
        context=part.context,
        instructions=runtime.instructions(material.instructions),
        guidance=runtime.prompts.extract,
        short=small,
    )
    # A bound on its operations keeps a small model from repeating itself.
    most = 1 + sum(len(sentences(said)) for said in part.new)
    form = extract.short_form(len(known), most) if small else extract.Extraction
    with span("model"):
        done = await gateway.complete(
            messages, form, max_output_tokens=_longest(part, settings.llm, small), partial=True
        )
    context = PlanContext(
        material.scope, part.new, known, now, settings.remember.max_characters, part.context,
        small=small, cut=done.cut, instructed=any(runtime.instructions(material.instructions)),
    )  # fmt: skip
    made = plan(done.answer, context)
    if settings.llm.verify and (claims := statements(made)):
        checks = verify.messages(
            claims, part.new, now=now, context=part.context, guidance=runtime.prompts.verify
        )
        made = verified(made, (await gateway.complete(checks, verify.Verification)).answer)
    return made, done.cut


def _longest(part: ConversationWindow, settings: LLMSettings, small: bool) -> int | None:
    """Return the tokens that an answer may have; None for the setting's."""
    if not small:
        return None
    least, most = _SMALL_ANSWER_TOKENS
    read = sum(count_tokens(said.text) for said in part.new)
    return min(max(least, _TOKENS_ANSWERED * read), most, settings.max_output_tokens)


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
    heard = [*map(embedded_text, embedded), *written_anew]
    vectors: list[Vector | None] = (await runtime.embed(heard))[0] if heard else []
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
                deletion(row, scope, utc_now(), "read by the language model") for row in waiting
            ]
            pairs += [
                next_version(
                    row,
                    "UPDATE",
                    scope,
                    utc_now(),
                    fields={**kept_fields(row), **{name: getattr(one, name) for name in _MASKED}},
                    vector=row.vector if one.text == row.memory.text else new_texts[one.text],
                )
                for row, one in await _still_kept(runtime, material, kept)
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
    return []


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
