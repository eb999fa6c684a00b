"""Write down how something was done, from an agent's log.

A result of a step counts only where it stands in the log word for word. A step counts only where
the log names what it was done with (`_is_shown`); of one that is not shown, its result stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mem_mcp.api.models import Memory
from mem_mcp.errors import LLMBadOutput
from mem_mcp.extraction.quotes import Passages, comparable, words
from mem_mcp.extraction.secrets import masked
from mem_mcp.extraction.subject_match import EMPTY_WORDS
from mem_mcp.extraction.text_splitter import log_excerpt
from mem_mcp.llm import Gateway
from mem_mcp.prompts.procedure import Procedure, messages
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash

_LOG_TOKENS = 8_000
_MARKED = re.compile(r"[^\s'\"`]*(?:\d|[/_@=\\]|\w\.\w|(?<!\S)-\w)[^\s'\"`]*")
"""What a step can only have from its log: numbers, paths, options, addresses."""
_OPTION = re.compile(r"(?<!\S)(-[a-z][\w-]*)[ =]([\w./:@-]*\w)")
"""An option of a command with its value, in a comparable text: that has single dashes."""
_STEM = 4


async def procedure(
    runtime: Runtime, gateway: Gateway, memory: Memory, instructions: str
) -> tuple[dict[str, Any], list[str]]:
    """Let the model turn a log into a procedure.

    Args:
        runtime: what to work with.
        gateway: to the model.
        memory: its text is the log.
        instructions: those of the call.

    Returns:
        The fields to change, with the log in `source`; and sentences about what was left out.

    Raises:
        LLMError: the model gave no usable answer.
    """
    shown = log_excerpt([memory.text], _LOG_TOKENS)
    asked = messages(
        shown.text,
        instructions=runtime.instructions(instructions),
        guidance=runtime.prompts.procedure,
    )
    with span("model"):
        done = await gateway.complete(asked, Procedure)
    text, dropped = procedure_text(done.answer, shown.passages)
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


def procedure_text(answer: Procedure, passages: Sequence[str]) -> tuple[str, list[str]]:
    """Return the text of a procedure, and sentences about what was left out.

    Args:
        answer: what the model answered.
        passages: the parts of the log that the model was shown.
    """
    shown = Passages(passages)
    steps: list[str] = []
    unfounded = not_shown = 0
    log = "\n".join(passages)
    for step in answer.steps:
        if not (action := _line(step.action)):
            continue
        result = _line(step.result or "")
        if result and not shown.holding(result):
            result, unfounded = "", unfounded + 1
        if not _is_shown(action, log):
            not_shown += 1
            action, result = result, ""
        if not action:
            continue
        steps.append(f"{len(steps) + 1}. {action}{f' -> {result}' if result else ''}")
    parts = [
        answer.overview.strip(),
        *_section("Steps:", steps),
        *_section("Findings:", _listed(answer.findings)),
        *_section("Errors:", _listed(answer.errors)),
        *_section("Resume from:", [(answer.resume or "").strip()]),
    ]
    dropped = []
    if unfounded:
        dropped.append(f"results of {unfounded} steps are not in the log and were left out")
    if not_shown:
        dropped.append(f"{not_shown} steps name what is not in the log and were left out")
    text = "\n".join(part for part in parts if part)
    # A step without its secret can still be followed; without the step, the others cannot.
    if (kept := masked(text)) != text:
        dropped.append("what looks like a secret was left out, where … stands")
    return kept, dropped


def _is_shown(action: str, log: str) -> bool:
    """Whether a log names what a step says it did.

    Numbers, paths, options and names of the step must stand in the log, and some other word of it.
    """
    within = comparable(log)
    marked = (mark.strip(".,:;()'") for mark in _MARKED.findall(comparable(action)))
    if any(mark not in within for mark in marked if mark):
        return False
    given = set(_OPTION.findall(within))
    valued = {name for name, _ in given}
    if any(pair[0] in valued and pair not in given for pair in _OPTION.findall(comparable(action))):
        return False
    stems = {word[:_STEM] for word in words(log)}
    mine = [word for word in words(action) - EMPTY_WORDS if len(word) >= _STEM]
    return not mine or any(word[:_STEM] in stems for word in mine)


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    if kept := [line for line in lines if line]:
        yield "\n".join([head, *kept])


def _listed(lines: Sequence[str]) -> Iterator[str]:
    return (f"- {_line(line)}" for line in lines if line.strip())


def _line(text: str) -> str:
    return " ".join(text.split())
