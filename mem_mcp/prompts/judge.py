"""Ask how a task ended, from its log."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Annotated, Any

from mem_mcp.prompts.delimiters import IS_DATA, asked_for, block
from mem_mcp.prompts.response import Response, one_of
from mem_mcp.prompts.template import NO_SECRETS, asking

GUIDANCE = """\
You judge how a task of an AI agent ended, from its log, and what there is to learn from it for \
the next task of this kind.

{rules}"""

RULES = f"""\
Data
- {IS_DATA}

Evidence
- evidence: 1 to 5 quotes that decide the outcome, each copied without change or gap from <log>, \
a line at most. A gap marked there was cut out: nothing is known of it.
- What tools, tests and people answered counts. That the agent says it is done does not show that \
it is.
- {NO_SECRETS}

Outcome
- success: the log shows that the goal of <task> was reached. failure: it shows that it was not. \
partial: part of it was, part was not. unknown: the log does not show it; guess nothing.
- confidence: 0 to 1, that another judge would say the same.

Learning
- lesson: what to do, in which situation, and where it does not apply; one or two sentences that \
help with other tasks of this kind. null if the log teaches nothing beyond this one.
- differently: what to do instead next time. null if nothing.
- summary: what was done and what came of it, in at most three sentences.
- Write in the language of <task>. State no cause that the log does not show."""


class Judgement(Response):
    """The answer; the evidence comes before what it shows."""

    evidence: list[str]
    """Quotes from the log"""
    summary: str
    outcome: Annotated[str, one_of("success", "failure", "partial", "unknown")]
    confidence: float | None
    lesson: str | None
    differently: str | None


_LONGEST = 200
"""Characters of a bounded text."""
_MOST_LINES = 100
"""Lines of a log that can be quoted, its last ones."""


def short_form(log: Sequence[str]) -> type[Judgement]:
    """Return the form of a small model's judgement, bounded so that it cannot ramble.

    Servers on one's own machine compile it to a grammar. Its evidence can only be lines of the log:
    left free, a small model explains where it should copy.

    Args:
        log: the parts of the log that the model is shown.
    """
    lines = dict.fromkeys(line.strip() for part in log for line in part.splitlines())
    quotable = [line for line in lines if line and len(line) <= _LONGEST][-_MOST_LINES:]
    text = {"type": "string", "maxLength": _LONGEST}
    quote = {"type": "string", "enum": quotable} if quotable else text
    fields: dict[str, Any] = {
        "evidence": {"type": "array", "maxItems": 3, "items": quote},
        "outcome": {"type": "string", "enum": ["success", "failure", "partial", "unknown"]},
        "summary": text,
        "lesson": {"anyOf": [text, {"type": "null"}]},
    }
    schema = {
        "type": "object",
        "properties": fields,
        "required": [*fields],
        "additionalProperties": False,
    }

    class ShortJudgement(Judgement):
        @classmethod
        def model_json_schema(cls, *_args: Any, **_kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
            return deepcopy(schema)

    return ShortJudgement


def messages(
    task: str,
    log: str,
    *,
    instructions: Sequence[str] = (),
    guidance: str = GUIDANCE,
) -> list[dict[str, Any]]:
    """Ask how a task ended.

    Args:
        task: what was to be done.
        log: the log or transcript; it must fit the model's window.
        instructions: what to learn or leave out: the server's, then the call's.
        guidance: the task, with PLACEHOLDER for the rules.
    """
    parts = [*asked_for(instructions), block("task", task), block("log", log)]
    return asking(guidance, RULES, "\n\n".join(parts))
