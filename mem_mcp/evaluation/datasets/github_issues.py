"""Attempts of a coding agent at GitHub issues: which earlier one touched the same source file?

Asked as an agent meets them: for each issue in file order, among the earlier ones of its
repository. One is relevant if it touched a Python file that this one touches too, test files apart:
a file is one if its path has "test" in it anywhere (so all of pytest's own `_pytest` is left out).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, Field

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, Item, read_lines, refuse_twice

# The file has no dates, only an order: one issue a minute, and long ago, so that none is recent.
_START = datetime(2000, 1, 1, tzinfo=UTC)
# Among fewer, whatever is found is the best.
_CHOICE = 2
OUTCOME = "outcome"
"""Field of an item's metadata that says how the attempt went."""


class _Attempt(BaseModel):
    instance_id: str = Field(pattern=r"^.+__.+-\d+$")
    issue: str
    files: list[str]
    resolved: bool

    @property
    def repository(self) -> str:
        return self.instance_id.rpartition("-")[0].replace("__", "/")

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(f for f in self.files if f.endswith(".py") and "test" not in f)


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:  # noqa: ARG001 - a suite's signature
    """Read a file.

    Args:
        path: one JSON object a line, with instance_id, issue, files and resolved.
        first: only so many issues; None for all.
        seed: not used: all issues are asked about.

    Raises:
        InvalidInput: the file is missing, cut off, or of another format.
    """
    attempts = read_lines(path, _Attempt)[:first]
    if not attempts:
        raise InvalidInput("data", f"{path} holds no issue")
    refuse_twice(path, [one.instance_id for one in attempts])
    items = [_item(one, number) for number, one in enumerate(attempts)]
    cases = tuple(_cases(attempts))
    return Dataset(tuple(items), cases, skipped=len(attempts) - len(cases))


def _item(one: _Attempt, number: int) -> Item:
    return Item(
        keys=(one.instance_id,),
        arguments={
            "content": one.issue,
            "user_id": one.repository,
            "occurred_at": _moment(number),
            "metadata": {OUTCOME: "success" if one.resolved else "failure"},
        },
    )


def _cases(attempts: Sequence[_Attempt]) -> Iterator[Case]:
    for number, one in enumerate(attempts):
        earlier = [old for old in attempts[:number] if old.repository == one.repository]
        relevant = frozenset(old.instance_id for old in earlier if old.sources & one.sources)
        if relevant and len(earlier) >= _CHOICE:
            yield Case(
                name=one.instance_id,
                category=one.repository,
                arguments={
                    "query": one.issue,
                    "user_id": one.repository,
                    "until": _moment(number - 1),
                },
                relevant=relevant,
                among=[old.instance_id for old in earlier],
            )


def _moment(number: int) -> datetime:
    return _START + timedelta(minutes=number)
