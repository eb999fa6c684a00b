"""How a task ended, as a language model reads its logs."""

from __future__ import annotations

from typing import Any

from mem_mcp.api.models import Memory
from mem_mcp.extraction.text_splitter import log
from mem_mcp.extraction.verdict import Judged, judged
from mem_mcp.llm import Gateway
from mem_mcp.prompts.judge import Judgement, messages
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash
from mem_mcp.writing.memory_text import outcome_parts, outcome_text

JUDGED = "judged by "
"""How the reason of a version begins whose outcome a model found."""
_LOG_TOKENS = 8_000


async def judge(
    runtime: Runtime, gateway: Gateway, memory: Memory
) -> tuple[dict[str, Any], list[str]]:
    """Let the model judge an outcome by its logs.

    Args:
        runtime: what to work with.
        gateway: to the model.
        memory: the outcome; what the caller said of it stays.

    Returns:
        The fields that differ from now on, and what of the answer does not count.

    Raises:
        LLMError: no usable answer.
    """
    task, summary, lesson = outcome_parts(memory.text)
    shown = log([memory.source or ""], _LOG_TOKENS)
    asked = messages(
        task,
        shown.text,
        instructions=runtime.instructions(),
        guidance=runtime.prompts.judge,
    )
    with span("model"):
        done = await gateway.complete(asked, Judgement)
    most = runtime.settings.remember.max_characters
    found = judged(done.answer, shown.passages, most)
    text, left_out = _composed(task, (summary, lesson), found, most)
    fields = {
        "outcome_type": found.outcome,
        "confidence": found.confidence,
        "evidence": [*found.evidence],
        "text": text,
        "content_hash": content_hash(text),
        "status": "active",
        "reason": f"{JUDGED}{done.model}",
    }
    return fields, [*found.dropped, *left_out]


def _composed(task: str, given: tuple[str, str], found: Judged, most: int) -> tuple[str, list[str]]:
    """Return a text within its length, and which of the model's parts it has no room for.

    The lesson has it before the summary: it is what other tasks learn from.
    """
    both = (found.summary, found.lesson)
    for new in (both, ("", found.lesson), (found.summary, ""), ("", "")):
        summary, lesson = (own or told for own, told in zip(given, new, strict=True))
        text = outcome_text(task, summary, lesson)
        if len(text) <= most:
            break
    names = ("summary", "lesson")
    return text, [
        f"its {name} was left out: the text would be over {most:,} characters"
        for name, own, told, kept in zip(names, given, both, new, strict=True)
        if told and not (own or kept)
    ]
