"""The cases: conversations with the changes that they should make, and recorded answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import read_lines
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
"""A regular expression that is searched anywhere in a text, whatever its case."""


class KnownMemory(_Strict):
    """A memory that is stored before the conversation."""

    text: str = Field(min_length=1)
    kind: Literal["fact", "message", "procedure"] = "fact"
    occurred_at: AwareDatetime | None = None


class ScriptMessage(_Strict):
    """One message, as `remember` takes it."""

    role: str
    content: str = Field(min_length=1)
    name: str | None = None
    occurred_at: AwareDatetime | None = None


class Expected(_Strict):
    """A change that the conversation should make."""

    event: Literal["ADD", "UPDATE", "DELETE"]
    """The end of a memory is an UPDATE."""
    all_of: list[Regex] = Field(min_length=1)
    """What the memory's text must contain after the change; before it, for a deleted memory.

    If the known text contains all of it already, an UPDATE must leave that text as it is.
    """
    target: int | None = Field(default=None, ge=0)
    """Place of the known memory that it changes, from 0."""
    date: str | None = Field(default=None, pattern=r"^\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2})?)?)?)?$")
    """The beginning of the memory's occurred_at or valid_until."""


class Script(_Strict):
    """One case: a conversation, the memories before it, and the changes that it should make."""

    name: str = Field(min_length=1)
    category: str = Field(min_length=1)
    known: list[KnownMemory] = []
    messages: list[ScriptMessage] = Field(min_length=1)
    expect: list[Expected] = []
    forbid: list[Regex] = []
    """What no text of a new or changed memory may contain."""
    secrets: list[Regex] = []
    """What no field of such a memory may contain, quotes and tags included."""
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


class RecordedAnswers(_Strict):
    """The answers of a model to one case."""

    case: str
    model: str = ""
    """Which model answered; its name tells whether it is small."""
    answers: list[Extraction]
    """One for each request, in order; targets are the numbers of the memories in the prompt."""


def load_scripts(path: Path) -> list[Script]:
    """Read the cases of a file; raises InvalidInput if that cannot be used."""
    scripts = read_lines(path, Script, lambda script: script.name)
    if not scripts:
        raise InvalidInput("data", f"{path} has no case")
    return scripts


def load_answers(path: Path, scripts: Sequence[Script]) -> dict[str, RecordedAnswers]:
    """Read recorded answers, by case; raises InvalidInput if the file answers other cases."""
    rows = read_lines(path, RecordedAnswers, lambda row: row.case)
    recorded = {row.case: row for row in rows}
    if unknown := recorded.keys() - {script.name for script in scripts}:
        raise InvalidInput("answers", f"{path} answers {min(unknown)!r}, which the data has not")
    return recorded
