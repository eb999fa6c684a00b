"""Attempts of a coding agent at GitHub issues: which earlier one touched the same source file?

Each issue is asked about in file order, as an agent meets it, among the earlier ones of its
repository. An earlier one is relevant if it touched a Python file that this one touches, too. Test
files do not count: those with "test" anywhere in their path (so all of pytest's own `_pytest` is
left out).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, Field

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, RememberCall, read_lines

# The file has an order, but no dates: issues follow each other by a minute, long ago, so that none
# counts as recent.
_START = datetime(2000, 1, 1, tzinfo=UTC)
# Among fewer candidates any ranking is right.
_FEWEST = 2
OUTCOME = "outcome"
"""The metadata field that says how the attempt went."""


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
    """Read JSON Lines with instance_id, issue, files and resolved; nothing is drawn."""
    attempts = read_lines(path, _Attempt, lambda attempt: attempt.instance_id)[:first]
    if not attempts:
        raise InvalidInput("data", f"{path} holds no issue")
    calls = [_call(attempt, number) for number, attempt in enumerate(attempts)]
    cases = tuple(_cases(attempts))
    return Dataset(tuple(calls), cases, skipped=len(attempts) - len(cases))


def _call(attempt: _Attempt, number: int) -> RememberCall:
    return RememberCall(
        keys=(attempt.instance_id,),
        arguments={
            "content": attempt.issue,
            "user_id": attempt.repository,
            "occurred_at": _moment(number),
            "metadata": {OUTCOME: "success" if attempt.resolved else "failure"},
        },
    )


def _cases(attempts: Sequence[_Attempt]) -> Iterator[Case]:
    for number, attempt in enumerate(attempts):
        earlier = [each for each in attempts[:number] if each.repository == attempt.repository]
        relevant = frozenset(each.instance_id for each in earlier if each.sources & attempt.sources)
        if relevant and len(earlier) >= _FEWEST:
            yield Case(
                name=attempt.instance_id,
                category=attempt.repository,
                arguments={
                    "query": attempt.issue,
                    "user_id": attempt.repository,
                    "until": _moment(number - 1),
                },
                relevant=relevant,
                among=[each.instance_id for each in earlier],
            )


def _moment(number: int) -> datetime:
    return _START + timedelta(minutes=number)
