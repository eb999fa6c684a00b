"""LoCoMo's questions with their answers, the adversarial ones included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import locomo
from mem_mcp.evaluation.answer_scores import NOT_MENTIONED
from mem_mcp.evaluation.dataset import Case, Dataset, first_of, read_json

ADVERSARIAL = "adversarial"
_CATEGORIES = {**locomo.CATEGORIES, 5: ADVERSARIAL}


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and what is right."""

    case: Case
    right: str

    @property
    def text(self) -> str:
        """The question itself."""
        query: str = self.case.arguments["query"]
        return query


class _Asked(BaseModel):
    question: str
    category: int
    answer: str | int | float | None = None


class _Conversation(BaseModel):
    sample_id: str
    qa: list[_Asked]


_File = TypeAdapter(list[_Conversation])


def load(path: Path, first: int | None = None) -> tuple[Dataset, list[Question]]:
    """Read a file of LoCoMo's format.

    Args:
        path: the data set's JSON file.
        first: only so many conversations; None for all.

    Returns:
        What is remembered, and every question that has an answer or is adversarial, in order.

    Raises:
        InvalidInput: the file is missing, cut off, of another format, or has no such question.
    """
    turns = locomo.load(path, first)
    try:
        conversations = _File.validate_python(read_json(path))[:first]
    except ValidationError as error:
        raise InvalidInput(
            "data", f"{path} is not in LoCoMo's format: {first_of(error)}"
        ) from error
    questions = list(chain.from_iterable(_questions(one, turns) for one in conversations))
    if not questions:
        raise InvalidInput("data", f"{path} has no question with an answer")
    skipped = sum(len(one.qa) for one in conversations) - len(questions)
    cases = tuple(one.case for one in questions)
    return replace(turns, cases=cases, skipped=skipped), questions


def _questions(one: _Conversation, turns: Dataset) -> Iterator[Question]:
    own = (item.keys for item in turns.items if item.arguments["user_id"] == one.sample_id)
    among = tuple(chain.from_iterable(own))
    for number, asked in enumerate(one.qa, start=1):
        if among and (right := _right(asked)):
            case = Case(
                name=f"{one.sample_id} question {number}",
                category=_CATEGORIES[asked.category],
                arguments={"query": asked.question, "user_id": one.sample_id},
                relevant=frozenset(),
                among=among,
            )
            yield Question(case, right)


def _right(asked: _Asked) -> str:
    """Return what is right; "" if nothing is known to be."""
    answer = "" if asked.answer is None else str(asked.answer).strip()
    if asked.category not in _CATEGORIES:
        return ""
    if _CATEGORIES[asked.category] == ADVERSARIAL:
        return f"{NOT_MENTIONED}, or: {answer}" if answer else NOT_MENTIONED
    return answer
