"""How a task ended, as a language model reads its logs."""

from __future__ import annotations

from typing import Any

from mem_mcp.engine.judging import judged
from mem_mcp.engine.logs import log
from mem_mcp.engine.outcome_text import compose, parts
from mem_mcp.engine.resources import Resources
from mem_mcp.llm import Gateway
from mem_mcp.models import Memory
from mem_mcp.prompts.judge import Judgement, messages
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash

JUDGED = "judged by "
"""How the reason of a version begins whose outcome a model found."""
_LOG_TOKENS = 8_000


async def judge(
    resources: Resources, gateway: Gateway, memory: Memory
) -> tuple[dict[str, Any], list[str]]:
    """Let the model judge an outcome by its logs.

    Args:
        resources: what to work with.
        gateway: to the model.
        memory: the outcome; what the caller said of it stays.

    Returns:
        The fields that differ from now on, and what of the answer does not count.

    Raises:
        LLMError: no usable answer.
    """
    task, summary, lesson = parts(memory.text)
    shown = log([memory.source or ""], _LOG_TOKENS)
    asked = messages(
        task,
        shown.text,
        instructions=resources.instructions(),
        guidance=resources.prompts.judge,
    )
    with span("model"):
        done = await gateway.complete(asked, Judgement)
    found = judged(done.answer, shown.passages, resources.settings.remember.max_characters)
    text = compose(task, summary or found.summary, lesson or found.lesson)
    fields = {
        "outcome_type": found.outcome,
        "confidence": found.confidence,
        "evidence": [*found.evidence],
        "text": text,
        "content_hash": content_hash(text),
        "status": "active",
        "reason": f"{JUDGED}{done.model}",
    }
    return fields, [*found.dropped]
