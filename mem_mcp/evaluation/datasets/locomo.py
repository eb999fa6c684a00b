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
    Item,
    first_of,
    read_json,
    refuse_twice,
)

# By the authors' code; most published tables permute the names.
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
ADVERSARIAL = "adversarial"
"""The category of what is answered right by not answering it."""
_WITH_ANSWERS = {**CATEGORIES, 5: ADVERSARIAL}
_DATE = "%I:%M %p on %d %B, %Y"
_SESSION = r"session_\d+"


class _Turn(BaseModel):
    # The field `query` is left out on purpose: it gives answers away.
    speaker: str
    dia_id: str = Field(pattern=r"^D:?\d+:\d+$")
    text: str
    blip_caption: str | None = None

    @property
    def said(self) -> str:
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
    """Read a file for what answers its questions: all that name their evidence.

    Args:
        path: the data set's JSON file.
        first: only so many conversations; None for all.
        seed: not used: all questions are asked.

    Raises:
        InvalidInput: the file is missing, cut off, or of another format.
    """
    conversations, items = _read(path, first)
    cases = [case for one in conversations for case in _cases(one, items, CATEGORIES)]
    scorable = tuple(case for case in cases if case.relevant)
    return Dataset(items, scorable, skipped=len(cases) - len(scorable))


def load_answers(path: Path, first: int | None = None, seed: int = 0) -> Dataset:  # noqa: ARG001 - a suite's signature
    """Read a file for its answers: all that have one, and the adversarial questions; see `load`.

    Raises:
        InvalidInput: the file is missing, cut off, or of another format.
    """
    conversations, items = _read(path, first)
    cases = [case for one in conversations for case in _cases(one, items, _WITH_ANSWERS)]
    answered = tuple(case for case in cases if case.right and case.among)
    skipped = sum(len(one.qa) for one in conversations) - len(answered)
    return Dataset(items, answered, skipped)


def _read(path: Path, first: int | None) -> tuple[list[_Conversation], tuple[Item, ...]]:
    content = read_json(path)
    try:
        conversations = _File.validate_python(content)[:first]
        items = tuple(item for one in conversations for item in _sessions(one))
    except ValidationError as error:
        raise InvalidInput(
            "data", f"{path} is not in LoCoMo's format: {first_of(error)}"
        ) from error
    keys = [key for item in items for key in item.keys]
    if not keys:
        raise InvalidInput("data", f"{path} holds no conversation")
    refuse_twice(path, keys)
    return conversations, items


def _sessions(one: _Conversation) -> Iterator[Item]:
    written = {name: x for name, x in one.conversation.items() if re.fullmatch(_SESSION, name)}
    sessions = _Sessions.validate_python(written)
    for name in sorted(sessions, key=lambda name: int(name.removeprefix("session_"))):
        turns = [turn for turn in sessions[name] if turn.said]
        messages = [{"role": "user", "name": t.speaker, "content": t.said} for t in turns]
        if messages:
            yield Item(
                keys=tuple(_key(one, _turn_ids(turn.dia_id)[0]) for turn in turns),
                arguments={
                    "messages": messages,
                    "user_id": one.sample_id,
                    "run_id": name,
                    "occurred_at": _moment(one.conversation, f"{name}_date_time"),
                },
            )


def _cases(
    one: _Conversation, items: Sequence[Item], categories: Mapping[int, str]
) -> Iterator[Case]:
    own = (item.keys for item in items if item.arguments["user_id"] == one.sample_id)
    among = tuple(chain.from_iterable(own))
    for number, question in enumerate(one.qa, start=1):
        if question.category not in categories:
            continue
        named = frozenset(_key(one, turn) for text in question.evidence for turn in _turn_ids(text))
        yield Case(
            name=f"{one.sample_id} question {number}",
            category=categories[question.category],
            arguments={"query": question.question, "user_id": one.sample_id},
            relevant=named & set(among),
            among=among,
            right=question.right,
        )


def _turn_ids(text: str) -> list[str]:
    """Read "D8:6; D9:17", "D:11:26" and "D30:05" as the turns they mean."""
    return [f"D{int(session)}:{int(turn)}" for session, turn in re.findall(r"D:?(\d+):(\d+)", text)]


def _key(one: _Conversation, turn_id: str) -> str:
    return f"{one.sample_id} {turn_id}"


def _moment(conversation: dict[str, Any], field: str) -> datetime | None:
    """Read a session's date, taken as UTC: the format names no time zone."""
    if (written := conversation.get(field)) is None:
        return None
    try:
        return datetime.strptime(str(written), _DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput(
            "data", f"{field}: {written!r} is not like '1:56 pm on 8 May, 2023'"
        ) from error
