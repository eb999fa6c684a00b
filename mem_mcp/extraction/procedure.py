"""How something was done, as a language model reads an agent's log."""

from __future__ import annotations

from typing import Any

from mem_mcp.api.models import Memory
from mem_mcp.errors import LLMBadOutput
from mem_mcp.extraction.procedure_text import compose
from mem_mcp.extraction.text_splitter import log
from mem_mcp.llm import Gateway
from mem_mcp.prompts.procedure import Procedure, messages
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash

_LOG_TOKENS = 8_000


async def procedure(
    runtime: Runtime, gateway: Gateway, memory: Memory, instructions: str
) -> tuple[dict[str, Any], list[str]]:
    """Let the model write a procedure down.

    Args:
        runtime: what to work with.
        gateway: to the model.
        memory: its text is the log.
        instructions: the call's own.

    Returns:
        The fields that differ from now on, the log in `source`; and what of the answer does not
        count.

    Raises:
        LLMError: no usable answer.
    """
    shown = log([memory.text], _LOG_TOKENS)
    asked = messages(
        shown.text,
        instructions=runtime.instructions(instructions),
        guidance=runtime.prompts.procedure,
    )
    with span("model"):
        done = await gateway.complete(asked, Procedure)
    text, dropped = compose(done.answer, shown.passages)
    if not text.strip():
        raise LLMBadOutput(f"{done.model} wrote down no procedure")
    fields = {
        "text": text,
        "content_hash": content_hash(text),
        "source": memory.text,
        "status": "active",
        "reason": f"written down by {done.model}",
    }
    return fields, dropped
