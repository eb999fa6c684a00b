"""Structured answers: three ways to ask for one, and how to read what comes back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from mem_mcp.errors import LLMRefused

Message = Mapping[str, Any]
"""A message as OpenAI's API has it; its content is a text or a list of text and image parts."""
Answer = TypeVar("Answer", bound=BaseModel)

_ASK = "Answer with one JSON object that fits this JSON schema, and with nothing else:\n"
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[\[{]")
_MOST_PROBLEMS = 5


class Format(Enum):
    """How an answer's form is asked for, best first; a provider may refuse all but the last."""

    SCHEMA = "the schema itself"
    JSON = "JSON mode, with the schema in the prompt"
    TEXT = "the schema in the prompt alone"


class Unusable(Exception):
    """An answer that cannot be read."""

    def __init__(self, problem: str, said: str = "", *, cut: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.said = said
        """What the model answered; empty where there is nothing to show it."""
        self.cut = cut
        """It was longer than it was allowed to be."""


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """What is asked of a model."""

    messages: Sequence[Message]
    answer: type[Answer]
    """The form of the answer."""
    tokens: int
    """Longest answer."""

    def again(self, unusable: Unusable) -> Question[Answer]:
        """Return the question to ask after an answer that cannot be used."""
        if unusable.cut:
            return replace(self, tokens=self.tokens * 2)
        if not unusable.said:
            return self
        complaint = f"This cannot be used: {unusable.problem}. {_ASK}{schema(self.answer)}"
        said = {"role": "assistant", "content": unusable.said}
        messages = [*self.messages, said, {"role": "user", "content": complaint}]
        return replace(self, messages=messages)


def request(question: Question[Any], form: Format) -> dict[str, Any]:
    """Return the arguments of the request that asks in this form."""
    arguments: dict[str, Any] = {"max_tokens": question.tokens}
    if form is Format.SCHEMA:
        return {**arguments, "messages": [*question.messages], "response_format": question.answer}
    if form is Format.JSON:
        arguments["response_format"] = {"type": "json_object"}
    return {**arguments, "messages": _instructed(question)}


def _instructed(question: Question[Any]) -> list[Message]:
    instruction = _ASK + schema(question.answer)
    first = question.messages[0] if question.messages else {}
    # Into the system message that is there: some models take only one.
    if first.get("role") == "system" and isinstance(first["content"], str):
        joined = {**first, "content": f"{first['content']}\n\n{instruction}"}
        return [joined, *question.messages[1:]]
    return [{"role": "system", "content": instruction}, *question.messages]


def schema(answer: type[BaseModel]) -> str:
    """Return the JSON schema of an answer, as compact text."""
    return json.dumps(answer.model_json_schema(), separators=(",", ":"), ensure_ascii=False)


def read(response: Any, answer: type[Answer]) -> Answer:  # noqa: ANN401 - the library's own object
    """Read a response of the library.

    Raises:
        Unusable: nothing in it fits; the problem is told without repeating the answer.
        LLMRefused: the model or a filter declined.
    """
    if not getattr(response, "choices", None):
        raise Unusable("there is no answer")
    choice = response.choices[0]
    if choice.finish_reason == "content_filter":
        raise LLMRefused("the provider's content filter held the answer back")
    # Where a refusal stands depends on the library's version.
    fields = getattr(choice.message, "provider_specific_fields", None) or {}
    if getattr(choice.message, "refusal", None) or fields.get("refusal"):
        raise LLMRefused("the model declined to answer")
    return parse(choice.message.content or "", answer, cut=choice.finish_reason == "length")


def parse(text: str, answer: type[Answer], *, cut: bool = False) -> Answer:
    """Find the one JSON object in a text and validate it.

    Args:
        text: may hold prose around the object, a fence, or thoughts before it.
        answer: what the object must fit.
        cut: whether the text ended because it was not allowed to be longer.

    Raises:
        Unusable: there is none, or it does not fit.
    """
    said = text.rpartition("</think>")[2].strip()
    if not said:
        raise Unusable("it was cut" if cut else "the answer is empty", cut=cut)
    try:
        return answer.model_validate_json(_object(said))
    except ValidationError as error:
        problem = "it was cut" if cut else _explain(error)
        raise Unusable(problem, said, cut=cut) from None


def _object(text: str) -> str:
    if fenced := _FENCED.search(text):
        text = fenced[1]
    # A list is found too, to be refused: the first of its objects is not the answer.
    if not (start := _OPENING.search(text)):
        return text
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, start.start())
    except json.JSONDecodeError:
        return text[start.start() :]
    return text[start.start() : end]


def _explain(error: ValidationError) -> str:
    # The input is left out: it is what the model just said.
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    told = [
        f"{'.'.join(str(part) for part in each['loc']) or 'the answer'}: {each['msg']}"
        for each in problems[:_MOST_PROBLEMS]
    ]
    return "; ".join(told)
