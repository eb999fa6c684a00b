"""Let a language model read a window, in smaller parts where it or its answer is too long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from mem_mcp.api.models import Memory, Scope
from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMContextTooLong, LLMCut, LLMError
from mem_mcp.extraction.clauses import sentences_in
from mem_mcp.extraction.material import ExtractionInput
from mem_mcp.extraction.plan import Plan, PlanContext, statements, verified
from mem_mcp.extraction.plan_builder import plan
from mem_mcp.extraction.text_splitter import parts as text_parts
from mem_mcp.extraction.windows import OVERLAP, ConversationWindow
from mem_mcp.llm import Gateway
from mem_mcp.prompts import extract, verify
from mem_mcp.prompts.conversation import message
from mem_mcp.retrieval.row_filters import current, every, owned, recallable
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import count_tokens
from mem_mcp.times import utc_now

# Of a model whose window LiteLLM does not know, and at most: longer ones cost attention.
_WINDOW_TOKENS = 6_000
_SMALL_WINDOW_TOKENS = 800
# Windows smaller than this are not made only to be read side by side.
_LEAST_WINDOW_TOKENS = 1_500
# A small model's answer: bounded by what it reads, so that it cannot repeat itself for long.
_SMALL_ANSWER_TOKENS = (300, 1_500)
_TOKENS_ANSWERED = 4
# A message of fewer tokens is not cut in two.
_LEAST_MESSAGE_TOKENS = 100
# Memories that a model is shown: so many near each message, and in all.
_NEAR_EACH = 5
_MOST_KNOWN = 20
_SHOWN_KINDS = ("fact", "procedure", "message")

WindowResult = tuple[ConversationWindow, "Plan | LLMError"]
"""What became of a window, or of a part of one."""


async def window_tokens(runtime: Runtime, gateway: Gateway, material: ExtractionInput) -> int:
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


async def read_window(
    runtime: Runtime, gateway: Gateway, material: ExtractionInput, part: ConversationWindow
) -> list[WindowResult]:
    """Let the model read a window, in smaller parts where its answer would be too long."""
    try:
        made, cut = await _asked(runtime, gateway, material, part)
    except (LLMCut, LLMContextTooLong) as error:
        rest = _halves(part)
        if not rest:
            return [(part, error)]
        read: list[WindowResult] = []
    except LLMError as error:
        return [(part, error)]
    else:
        read = [(part, made)]
        if not (cut and made.keep):
            return read
        rest = _rest(part, made.keep)
        if not rest:
            return read
        # What is read again in the rest is not read yet.
        done = tuple(said for place, said in enumerate(part.new) if place not in made.keep)
        read = [(ConversationWindow(done, part.context), made)]
        made.keep.clear()
    smaller = await asyncio.gather(
        *(read_window(runtime, gateway, material, each) for each in rest)
    )
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
    most = 1 + sum(len(sentences_in(said.text)) for said in part.new)
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
    vectors, _ = await runtime.embed([said.text for said in part.new], "passage")
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
