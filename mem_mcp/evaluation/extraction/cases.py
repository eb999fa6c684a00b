"""Conversations with what is to be learnt from them, and the answers of models to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import read_lines, refuse_twice
from mem_mcp.prompts.extract import Extraction


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression ({error})") from error
    return value


Regex = Annotated[str, Field(min_length=1), AfterValidator(_regex)]
"""Sought anywhere in a text, whatever its case."""


class Known(_Strict):
    """A memory stored beforehand."""

    text: str = Field(min_length=1)
    kind: Literal["fact", "message", "procedure"] = "fact"
    occurred_at: AwareDatetime | None = None


class Message(_Strict):
    """One message, as `remember` takes it."""

    role: str
    content: str = Field(min_length=1)
    name: str | None = None
    occurred_at: AwareDatetime | None = None


class Expected(_Strict):
    """A change that the conversation makes."""

    event: Literal["ADD", "UPDATE", "DELETE"]
    """A memory that ends is an UPDATE."""
    all_of: list[Regex] = Field(min_length=1)
    """What the memory's text holds afterwards; of a deleted one, before.

    An UPDATE that finds all of it in the known text already must leave that text as it is.
    """
    target: int | None = Field(default=None, ge=0)
    """Which known memory it changes."""
    date: str | None = Field(default=None, pattern=r"^\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2})?)?)?)?$")
    """How its occurred_at or its valid_until begins."""


class Script(_Strict):
    """One case: a conversation, what is known before, and what should become of it."""

    name: str = Field(min_length=1)
    category: str = Field(min_length=1)
    known: list[Known] = []
    messages: list[Message] = Field(min_length=1)
    expect: list[Expected] = []
    forbid: list[Regex] = []
    """What the text of no new or changed memory may hold."""
    secrets: list[Regex] = []
    """What nothing of such a memory may hold, its quotes and tags neither."""
    at_most: int = Field(ge=0)
    """Memories that may be added."""

    @model_validator(mode="after")
    def _targets(self) -> Self:
        for expected in self.expect:
            if expected.event == "ADD" and expected.target is not None:
                raise ValueError("an ADD has no target: what it ends is an UPDATE of its own")
            if expected.event != "ADD" and expected.target is None:
                raise ValueError(f"{expected.event} without a target")
            if expected.target is not None and expected.target >= len(self.known):
                raise ValueError(f"target {expected.target} is not among the known memories")
        return self


class Recorded(_Strict):
    """What a model answered to one case."""

    case: str
    model: str = ""
    """Which model answered; its name tells whether it is small."""
    answers: list[Extraction]
    """One for each call, in order; targets are the numbers that the model was shown."""


def load_scripts(path: Path) -> list[Script]:
    """Read cases.

    Raises:
        InvalidInput: the file is missing, cut off, of another format, or has no or twins of a case.
    """
    scripts = read_lines(path, Script)
    if not scripts:
        raise InvalidInput("data", f"{path} has no case")
    refuse_twice(path, [script.name for script in scripts])
    return scripts


def load_answers(path: Path, scripts: Sequence[Script]) -> dict[str, Recorded]:
    """Read recorded answers, by case.

    Raises:
        InvalidInput: the file is missing, cut off, of another format, or answers other cases.
    """
    recorded = read_lines(path, Recorded)
    refuse_twice(path, [one.case for one in recorded])
    if strange := {one.case for one in recorded} - {script.name for script in scripts}:
        raise InvalidInput("answers", f"{path} answers {min(strange)!r}, which the data has not")
    return {one.case: one for one in recorded}
