"""LoCoMo's original format: long conversations of two people, and questions about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.answering.scores import NOT_MENTIONED
from mem_mcp.evaluation.datasets.dataset import (
    Case,
    Dataset,
    RememberCall,
    first_of,
    read_json,
    refuse_twice,
)

# As the authors' code numbers them; most published tables permute the names.
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
ADVERSARIAL = "adversarial"
"""The category of questions whose right answer is that nothing is known."""
_WITH_ANSWERS = {**CATEGORIES, 5: ADVERSARIAL}
_DATE = "%I:%M %p on %d %B, %Y"
_SESSION = r"session_\d+"


class _Turn(BaseModel):
    # The file's field `query` is left out on purpose: it gives answers away.
    speaker: str
    dia_id: str = Field(pattern=r"^D:?\d+:\d+$")
    text: str
    blip_caption: str | None = None

    @property
    def content(self) -> str:
        shared = f" [shares an image: {self.blip_caption}]" if self.blip_caption else ""
        return f"{self.text}{shared}".strip()


class _Question(BaseModel):
    question: str
    category: int
    evidence: list[str] = []
    answer: str | int | float | None = None

    @property
    def right(self) -> str:
        answer = "" if self.answer is None else str(self.answer).strip()
        if _WITH_ANSWERS.get(self.category) == ADVERSARIAL:
            return f"{NOT_MENTIONED}, or: {answer}" if answer else NOT_MENTIONED
        return answer


class _Conversation(BaseModel):
    sample_id: str
    conversation: dict[str, Any]
    qa: list[_Question]


_File = TypeAdapter(list[_Conversation])
_Sessions = TypeAdapter(dict[str, list[_Turn]])


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:  # noqa: ARG001 - a suite's signature
    """Read the JSON file for retrieval: all questions that name their evidence."""
    conversations, calls = _read(path, first)
    cases = [case for each in conversations for case in _cases(each, calls, CATEGORIES)]
    scorable = tuple(case for case in cases if case.relevant)
    return Dataset(calls, scorable, skipped=len(cases) - len(scorable))


def load_answers(path: Path, first: int | None = None, seed: int = 0) -> Dataset:  # noqa: ARG001 - a suite's signature
    """Read the JSON file for answering: all questions with an answer, and the adversarial ones."""
    conversations, calls = _read(path, first)
    cases = [case for each in conversations for case in _cases(each, calls, _WITH_ANSWERS)]
    answered = tuple(case for case in cases if case.right and case.among)
    skipped = sum(len(each.qa) for each in conversations) - len(answered)
    return Dataset(calls, answered, skipped)


def _read(path: Path, first: int | None) -> tuple[list[_Conversation], tuple[RememberCall, ...]]:
    content = read_json(path)
    try:
        conversations = _File.validate_python(content)[:first]
        calls = tuple(call for each in conversations for call in _sessions(each))
    except ValidationError as error:
        raise InvalidInput(
            "data", f"{path} is not in LoCoMo's format: {first_of(error)}"
        ) from error
    keys = [key for call in calls for key in call.keys]
    if not keys:
        raise InvalidInput("data", f"{path} holds no conversation")
    refuse_twice(path, keys)
    return conversations, calls


def _sessions(sample: _Conversation) -> Iterator[RememberCall]:
    fields = sample.conversation
    sessions = _Sessions.validate_python(
        {name: value for name, value in fields.items() if re.fullmatch(_SESSION, name)}
    )
    for name in sorted(sessions, key=lambda name: int(name.removeprefix("session_"))):
        turns = [turn for turn in sessions[name] if turn.content]
        messages = [
            {"role": "user", "name": turn.speaker, "content": turn.content} for turn in turns
        ]
        if messages:
            yield RememberCall(
                keys=tuple(_key(sample, _turn_ids(turn.dia_id)[0]) for turn in turns),
                arguments={
                    "messages": messages,
                    "user_id": sample.sample_id,
                    "run_id": name,
                    "occurred_at": _moment(fields, f"{name}_date_time"),
                },
            )


def _cases(
    sample: _Conversation, calls: Sequence[RememberCall], categories: Mapping[int, str]
) -> Iterator[Case]:
    own = (call.keys for call in calls if call.arguments["user_id"] == sample.sample_id)
    among = tuple(chain.from_iterable(own))
    for number, question in enumerate(sample.qa, start=1):
        if question.category not in categories:
            continue
        turns = chain.from_iterable(map(_turn_ids, question.evidence))
        yield Case(
            name=f"{sample.sample_id} question {number}",
            category=categories[question.category],
            arguments={"query": question.question, "user_id": sample.sample_id},
            relevant=frozenset(_key(sample, turn) for turn in turns) & set(among),
            among=among,
            right=question.right,
        )


def _turn_ids(text: str) -> list[str]:
    """Read "D8:6; D9:17", "D:11:26" and "D30:05" as the turns they mean."""
    return [f"D{int(session)}:{int(turn)}" for session, turn in re.findall(r"D:?(\d+):(\d+)", text)]


def _key(sample: _Conversation, turn_id: str) -> str:
    return f"{sample.sample_id} {turn_id}"


def _moment(fields: dict[str, Any], name: str) -> datetime | None:
    """Read a session's date as UTC: the format names no time zone."""
    if (date := fields.get(name)) is None:
        return None
    try:
        return datetime.strptime(str(date), _DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput(
            "data", f"{name}: {date!r} is not like '1:56 pm on 8 May, 2023'"
        ) from error
