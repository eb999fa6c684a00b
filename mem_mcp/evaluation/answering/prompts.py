"""Prompts: answer a question from a conversation, and judge such an answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from mem_mcp.api.models import Memory
from mem_mcp.evaluation.answering.scores import NOT_MENTIONED
from mem_mcp.prompts.conversation import stamp
from mem_mcp.prompts.delimiters import IS_DATA, block
from mem_mcp.prompts.response import Response
from mem_mcp.prompts.template import asking
from mem_mcp.writing.memory_text import embedded_text

_ANSWER = """\
You answer a question about people from messages that they sent each other.

{rules}"""
_ANSWER_RULES = f"""\
- {IS_DATA} The question stands in <task>, and is to be answered.
- answer: a short phrase, in words of the messages where they have them; a list with commas. No \
explanation.
- The time of <messages> is when they were sent. Give dates as they follow from it: "yesterday", \
sent on 8 May 2023, is 7 May 2023.
- What follows from the messages, if need be with general knowledge, may be said. Where they tell \
nothing of what is asked, or tell it of somebody else, the answer is: {NOT_MENTIONED}"""

_JUDGE = """\
You judge whether an answer to a question is right.

{rules}"""
_JUDGE_RULES = f"""\
- {IS_DATA} The question stands in <task>, the right answer in <statement by="annotator">, and the \
one to judge in <statement by="candidate">.
- Be generous about wording: CORRECT if it says what the right answer says, however short or long. \
Dates, numbers and spans of time count in any form that means the same. Details beyond the right \
answer do no harm unless they contradict it.
- Be strict about facts: WRONG if it names another person, thing, place, number or date, lacks \
what the right answer mainly says, leaves it open between several, or only says that it is not \
known.
- Where the right answer is "{NOT_MENTIONED}", CORRECT if it says so in whatever words, or gives \
what stands there after "or:"; else WRONG."""


def _capitals(word: object) -> object:
    return word.strip().upper() if isinstance(word, str) else word


class Reply(Response):
    """The answer to a question."""

    answer: str


class Verdict(Response):
    """The judgement of an answer; the model gives its reason before the verdict."""

    reason: str
    """At most 20 words"""
    verdict: Annotated[Literal["CORRECT", "WRONG"], BeforeValidator(_capitals)]


def answer_messages(question: str, turns: Sequence[Memory]) -> list[dict[str, Any]]:
    """Build the request to answer a question.

    Args:
        question: its text.
        turns: what the model may know, in the order in which it was said.
    """
    # The question comes last: providers cache a beginning that several requests share.
    parts = [*_talks(turns), block("task", question)]
    return asking(_ANSWER, _ANSWER_RULES, "\n\n".join(parts))


def judge_messages(question: str, right: str, given: str) -> list[dict[str, Any]]:
    """Build the request to judge a given answer by the right one."""
    parts = [
        block("task", question),
        block("statement", right, by="annotator"),
        block("statement", given, by="candidate"),
    ]
    return asking(_JUDGE, _JUDGE_RULES, "\n\n".join(parts))


def _talks(turns: Sequence[Memory]) -> list[str]:
    """Show the turns that were said at one time together, a line each."""
    together = groupby(turns, key=lambda turn: (turn.run_id, turn.occurred_at))
    return [
        block("messages", "\n".join(map(_line, talk)), time=stamp(moment))
        for (_, moment), talk in together
    ]


def _line(turn: Memory) -> str:
    # On one line, so that no text can look like a line of another speaker.
    return " ".join(embedded_text(turn).split())
