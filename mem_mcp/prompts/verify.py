"""Ask whether statements say no more than the messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mem_mcp.prompts import conversation
from mem_mcp.prompts.conversation import Utterance, stamp
from mem_mcp.prompts.delimiters import IS_DATA, block, enclosed
from mem_mcp.prompts.response import Response
from mem_mcp.prompts.template import asking

GUIDANCE = """\
You check statements that were derived from messages before they go into a long-term memory. A \
statement that says more than was said does harm for years; one left out can be learnt later.

{rules}"""

RULES = f"""\
- {IS_DATA}
- Give one check for each <statement>, by its n.
- holds is true if the messages say all that it says: who, what, when, how much, how surely. \
Resolved names and dates are right if the messages (also those inside <context>) give them.
- holds is false if it adds, sharpens or generalises something; takes a question, wish, plan, \
joke, hypothetical or fiction for a fact; gives the words of one speaker to another; or repeats \
what the assistant merely supposed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to check, with its quote."""

    text: str
    quote: str


class StatementCheck(Response):
    """The check of one statement; the reason comes before the conclusion."""

    n: int
    reason: str
    """At most 12 words"""
    holds: bool


class Verification(Response):
    """The answer."""

    checks: list[StatementCheck]


def messages(
    statements: Sequence[Statement],
    new: Sequence[Utterance],
    *,
    now: datetime,
    context: Sequence[Utterance] = (),
    guidance: str = GUIDANCE,
) -> list[dict[str, Any]]:
    """Ask which statements hold.

    Args:
        statements: shown by numbers from 1.
        new: the messages that they were derived from.
        now: the current time.
        context: the messages before.
        guidance: the task, with PLACEHOLDER for the rules.
    """
    numbered = [
        block("statement", one.text, n=number, quote=one.quote)
        for number, one in enumerate(statements, start=1)
    ]
    parts = [f"It is {stamp(now)}."]
    if context:
        parts.append(conversation.messages("context", context))
    parts.append(conversation.messages("messages", new))
    parts.append(enclosed("statements", "\n".join(numbered)))
    return asking(guidance, RULES, "\n\n".join(parts))
