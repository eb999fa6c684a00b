"""Let a language model judge outcomes that are stored; what a person said of one stays.

Who gave an outcome, its summary or its lesson is the actor of the version in which it first stood:
a model's begins with `MODEL`. What a model judged before it was named as the actor has a reason
that begins with "judged by ", and evidence or a confidence that no update by a person changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mem_mcp.api.models import EvaluatedBy, Memory, Scope
from mem_mcp.api.outcome_text import outcome_parts
from mem_mcp.extraction.outcome_judge import JUDGED, judge
from mem_mcp.llm import Gateway
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store, Version
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import next_version, with_embedding

MODEL = "llm:"
"""Beginning of the actor of a version that a language model wrote."""


@dataclass(frozen=True, slots=True)
class VerdictOrigin:
    """Which parts of an outcome a model gave."""

    outcome: bool
    summary: bool
    lesson: bool


def origin(versions: Sequence[Memory]) -> VerdictOrigin:
    """Return which parts of an outcome a model gave.

    Args:
        versions: all of the outcome, oldest first.
    """
    by_model = [False, False, False]
    before: Memory | None = None
    for version in versions:
        is_model = _is_of_model(version, before)
        now, then = _parts(version), _parts(before) if before else (None, None, None)
        if is_model and before is None:
            # Of a text that was stored in one go nobody can tell whose words it holds.
            by_model = [True, False, False]
        else:
            by_model = [
                is_model if part != earlier or (place == 0 and is_model) else known
                for place, (part, earlier, known) in enumerate(
                    zip(now, then, by_model, strict=True)
                )
            ]
        before = version
    return VerdictOrigin(*by_model)


def evaluated_by(versions: Sequence[Memory], given: str) -> EvaluatedBy:
    """Return who gave an outcome.

    Args:
        versions: all of the outcome, oldest first.
        given: the reason of a version whose outcome its caller gave.
    """
    if origin(versions).outcome:
        return "llm"
    if any(each.outcome_type != versions[0].outcome_type for each in versions):
        return "human"
    return "caller" if versions[0].reason == given else "none"


async def versions_of(store: Store, memory_id: str) -> list[Memory]:
    """Read all versions of a memory, oldest first."""
    rows = await store.read({"memory_id": memory_id}, order=[("version", True)])
    return [row.memory for row in rows]


async def judged_by_models(store: Store, further: Filters | None = None) -> list[Version]:
    """Read the current outcomes with logs whose outcome a model gave.

    Args:
        store: the store.
        further: conditions on the outcomes; None for all.
    """
    wanted = {"kind": "outcome", "status": {"nin": ["pending", "deleted"]}}
    rows = await store.read(every(current(), wanted, further or {}), columns=EVERY_FIELD)
    return [
        row
        for row in rows
        if row.memory.source and origin(await versions_of(store, row.memory.memory_id)).outcome
    ]


async def judge_stored(runtime: Runtime, gateway: Gateway, row: Version) -> list[str]:
    """Let the model judge a stored outcome, as a new version; return what does not count.

    A version that somebody else wrote meanwhile stays as it is.

    Raises:
        LLMError: the model gave no usable answer.
    """
    given = origin(await versions_of(runtime.store, row.memory.memory_id))
    _, summary, lesson = outcome_parts(row.memory.text)
    own = ("" if given.summary else summary, "" if given.lesson else lesson)
    model, fields, dropped = await judge(runtime, gateway, row.memory, own)
    if fields["text"] == row.memory.text:
        del fields["text"]
    vectors, fields = await with_embedding(runtime, row, fields)
    judge_scope = Scope(user_id=f"{MODEL}{model}")
    pair = next_version(row, "UPDATE", judge_scope, utc_now(), fields=fields, vectors=vectors)
    await runtime.store.apply([pair[1]], close=[pair[0]])
    return dropped


def _parts(memory: Memory) -> tuple[str | None, str, str]:
    _, summary, lesson = outcome_parts(memory.text)
    return memory.outcome_type, summary, lesson


def _is_of_model(version: Memory, before: Memory | None) -> bool:
    if (version.actor or "").startswith(MODEL):
        return True
    if not (version.reason or "").startswith(JUDGED):
        return False
    return before is None or (version.evidence, version.confidence) != (
        before.evidence,
        before.confidence,
    )
