"""Everyday stores: a few dozen notes each, with questions of which one note is the right answer.

A YAML file is a kind of question (its stem is the kind's name), and a list of groups:

    - name: helpdesk                  # unique in the file
      half: choose                    # or measure
      language: en
      now: 2026-11-16T09:00:00Z       # when the questions are asked; this is the default
      beside: [other]                 # groups of this file whose memories are in the store, too
      memories:                       # oldest first
        cat: The cat is called Miso.
        vet: {text: "...", occurred_at: 2026-03-01, valid_until: 2026-05-01, kind: procedure, tags: [a]}
        fix: {task: "...", outcome: failure, lesson: "...", summary: "..."}
      questions:
        Which name has the cat?: cat
        Is one of two right?: [cat, vet]

All values are read as text. A memory without occurred_at occurred a day after the one before it,
and the last one a day before `now`.
"""  # noqa: E501 - an example is clearer with a memory on one line

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from yaml import MappingNode
from yaml.constructor import ConstructorError

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import first_of, read_text, refuse_twice
from mem_mcp.times import parse_time

Half = Literal["choose", "measure"]
"""What a group is for: choosing the ranking's constants, or measuring it and nothing else."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class EverydayMemory(_Strict):
    """A memory: the text of `remember`, or the task and outcome of `record_outcome`."""

    text: str = ""
    kind: Literal["fact", "message", "procedure"] = "fact"
    task: str = ""
    outcome: str = ""
    lesson: str = ""
    summary: str = ""
    tags: list[str] = []
    occurred_at: str = ""
    valid_until: str = ""
    """When it stopped being true."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.text) == bool(self.task):
            raise ValueError("a memory has either a text or a task")
        if not self.task and (self.outcome or self.lesson or self.summary):
            raise ValueError("only a task has an outcome, a lesson or a summary")
        return self


def _from_text(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _moment(value: object) -> object:
    return parse_time(value, "now") if isinstance(value, str) else value


class EverydayGroup(_Strict):
    """A store, and the questions that are asked of it."""

    name: str = Field(min_length=1)
    half: Half
    language: str = Field(min_length=2)
    now: Annotated[datetime, BeforeValidator(_moment)] = Field(
        default="2026-11-16T09:00:00Z", validate_default=True
    )
    """When the questions are asked."""
    beside: list[str] = []
    """Names of groups of the same file and half whose memories are in the store, too."""
    memories: dict[str, Annotated[EverydayMemory, BeforeValidator(_from_text)]]
    """By a name of their own; oldest first."""
    questions: dict[str, Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]]
    """By the query: names of the memories that answer it."""

    @model_validator(mode="after")
    def _has_all_answers(self) -> Self:
        for question, names in self.questions.items():
            if missing := set(names) - self.memories.keys():
                raise ValueError(f"{min(missing)!r}, the answer to {question!r}, is no memory")
        return self

    def occurred_at(self) -> dict[str, str]:
        """Return when each memory occurred, in ISO 8601."""
        ages = range(len(self.memories), 0, -1)
        usual = [(self.now - timedelta(days=age)).isoformat() for age in ages]
        memories = self.memories.items()
        return {
            name: memory.occurred_at or date
            for (name, memory), date in zip(memories, usual, strict=True)
        }


class EverydayKind(_Strict):
    """All groups of one file."""

    name: str
    groups: list[EverydayGroup] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_all_groups(self) -> Self:
        halves = {group.name: group.half for group in self.groups}
        for group in self.groups:
            if any(halves.get(name) != group.half for name in group.beside):
                raise ValueError(f"{group.name!r} lies beside a group that is not of its half")
        return self

    def store(self, group: EverydayGroup) -> Sequence[EverydayGroup]:
        """Return the groups whose memories are in a group's store, itself last."""
        return [*(each for each in self.groups if each.name in group.beside), group]


def files_of(path: Path) -> list[Path]:
    """Return the YAML files of a folder in order of their names, or the one file itself."""
    return sorted(path.glob("*.yaml")) if path.is_dir() else [path]


def load_kinds(path: Path) -> list[EverydayKind]:
    """Read a folder of kinds, or the file of one; raises InvalidInput if that cannot be used."""
    kinds = [_kind(file) for file in files_of(path)]
    if not kinds:
        raise InvalidInput("data", f"{path} has no file whose name ends in .yaml")
    return kinds


class _TextLoader(yaml.BaseLoader):
    """Reads every value as text, and refuses repeated names, of which YAML takes the last."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        for key, _ in node.value:
            if key.value in names:
                problem = f"{key.value!r} twice"
                raise ConstructorError(problem=problem, problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def _kind(path: Path) -> EverydayKind:
    try:
        groups = yaml.load(read_text(path), _TextLoader)  # noqa: S506 - a loader of text only
        kind = EverydayKind.model_validate({"name": path.stem, "groups": groups})
    except yaml.YAMLError as error:
        raise InvalidInput("data", f"{path} is no YAML of groups ({error})") from error
    except ValidationError as error:
        raise InvalidInput("data", f"{path} is of another format ({first_of(error)})") from error
    refuse_twice(path, [group.name for group in kind.groups])
    return kind
