"""Structured output: three ways to request a JSON answer, and how to parse it. Pure."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from mem_mcp.errors import LLMRefused

Message = Mapping[str, Any]
"""A message of OpenAI's chat API; its content is a text or a list of text and image parts."""
Answer = TypeVar("Answer", bound=BaseModel)

_ASK = "Answer with one JSON object that fits this JSON schema, and with nothing else:\n"
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[\[{]")
_STRING_OR_EXTRA = re.compile(
    r"""("(?:[^"\\]|\\.)*")|(//[^\n]*|/\*.*?\*/)|,(\s*[}\]])""", re.DOTALL
)
_PYTHON = {"null": "None", "true": "True", "false": "False"}
_MOST_PROBLEMS = 5


class Format(Enum):
    """How the schema of an answer is sent, best first; a provider may refuse all but the last."""

    SCHEMA = "the schema itself"
    JSON = "JSON mode, with the schema in the prompt"
    TEXT = "the schema in the prompt alone"


class UnusableAnswer(Exception):
    """A response holds no valid answer.

    Args:
        problem: what is wrong, without the text of the answer.
        text: the answer; empty if there is none.
        cut: whether the answer was cut at its longest allowed length.
    """

    def __init__(self, problem: str, text: str = "", *, cut: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.text = text
        self.cut = cut


@dataclass(frozen=True, slots=True)
class AnswerRequest(Generic[Answer]):
    """Messages to a model, and the form of the answer that they request."""

    messages: Sequence[Message]
    answer: type[Answer]
    """Model class of the answer."""
    tokens: int
    """Length of the longest answer, in tokens."""
    api_base: str = ""
    """Address of the model's server; empty: the provider's own."""

    def again(self, failure: UnusableAnswer) -> AnswerRequest[Answer]:
        """Return the request to send after an unusable answer."""
        if failure.cut:
            return replace(self, tokens=self.tokens * 2)
        if not failure.text:
            return self
        complaint = f"This cannot be used: {failure.problem}. {_ASK}{schema(self.answer)}"
        answer = {"role": "assistant", "content": failure.text}
        messages = [*self.messages, answer, {"role": "user", "content": complaint}]
        return replace(self, messages=messages)


def arguments(request: AnswerRequest[Any], form: Format) -> dict[str, Any]:
    """Return the arguments for LiteLLM's completion function that request an answer in a form."""
    bound = {"max_tokens": request.tokens}
    if form is Format.SCHEMA:
        return {**bound, "messages": [*request.messages], "response_format": request.answer}
    messages = _with_schema(request)
    if form is Format.JSON:
        return {**bound, "messages": messages, "response_format": {"type": "json_object"}}
    return {**bound, "messages": messages}


def _with_schema(request: AnswerRequest[Any]) -> list[Message]:
    instruction = _ASK + schema(request.answer)
    first = request.messages[0] if request.messages else {}
    # Some models take only one system message.
    if first.get("role") == "system" and isinstance(first["content"], str):
        joined = {**first, "content": f"{first['content']}\n\n{instruction}"}
        return [joined, *request.messages[1:]]
    return [{"role": "system", "content": instruction}, *request.messages]


def schema(answer: type[BaseModel]) -> str:
    """Return the JSON schema of an answer as compact text."""
    return json.dumps(answer.model_json_schema(), separators=(",", ":"), ensure_ascii=False)


def read(response: Any, answer: type[Answer]) -> Answer:  # noqa: ANN401 - LiteLLM's type
    """Return the answer in a response of LiteLLM.

    Raises:
        UnusableAnswer: there is no answer, or it does not fit the model class.
        LLMRefused: the model or a filter declined to answer.
    """
    if not getattr(response, "choices", None):
        raise UnusableAnswer("there is no answer")
    choice = response.choices[0]
    if choice.finish_reason == "content_filter":
        raise LLMRefused("the provider's content filter held the answer back")
    # The place of a refusal depends on LiteLLM's version.
    fields = getattr(choice.message, "provider_specific_fields", None) or {}
    if getattr(choice.message, "refusal", None) or fields.get("refusal"):
        raise LLMRefused("the model declined to answer")
    return parse(choice.message.content or "", answer, cut=choice.finish_reason == "length")


def parse(text: str, answer: type[Answer], *, cut: bool = False) -> Answer:
    """Return the one JSON object in a text, validated.

    Args:
        text: an answer; prose or a fence around the object and thoughts before it are skipped.
        answer: model class of the answer.
        cut: whether the text ended at its longest allowed length.

    Raises:
        UnusableAnswer: there is no object, or it does not fit the model class.
    """
    text = text.rpartition("</think>")[2].strip()
    if not text:
        raise UnusableAnswer("it was cut" if cut else "the answer is empty", cut=cut)
    try:
        return answer.model_validate_json(_object(text))
    except ValidationError as error:
        problem = "it was cut" if cut else _explain(error)
        raise UnusableAnswer(problem, text, cut=cut) from None


def beginning(text: str, answer: type[Answer]) -> Answer | None:
    """Read the beginning of an answer that was cut: the items of its lists that are complete.

    Args:
        text: what the model answered until it was cut.
        answer: what it must fit.

    Returns:
        The answer without the last item of its last list; None if nothing of it can be read.
    """
    start = _OPENING.search(text)
    if start is None:
        return None
    try:
        found = from_json(text[start.start() :], allow_partial=True)
        if not isinstance(found, dict) or not isinstance(items := [*found.values()][-1], list):
            return None
        # The last item may lack its end without lacking a field.
        del items[-1:]
        return answer.model_validate(found) if items else None
    except (ValueError, IndexError):
        return None


def _repaired(text: str) -> str:
    """Return JSON without what models add to it: comments, trailing commas, single quotes."""
    bare = _STRING_OR_EXTRA.sub(lambda match: match[1] or match[3] or "", text)
    try:
        json.loads(bare, strict=False)
    except json.JSONDecodeError:
        # Like Python's: single quotes, None, True.
        words = re.sub(r"\b(null|true|false)\b", lambda match: _PYTHON[match[1]], bare)
        try:
            return json.dumps(ast.literal_eval(words))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return bare
    return bare


def _object(text: str) -> str:
    if fenced := _FENCED.search(text):
        text = fenced[1]
    # A list is returned as a list, to be refused: its first object is not the answer.
    if not (start := _OPENING.search(text)):
        return text
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, start.start())
    except json.JSONDecodeError:
        return _repaired(text[start.start() :])
    return text[start.start() : end]


def _explain(error: ValidationError) -> str:
    # Without the input, which the model has just written.
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'the answer'}: {each['msg']}"
        for each in problems[:_MOST_PROBLEMS]
    )
