"""How what was recalled is shown to people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import typer

from mem_mcp.api.models import Recalled, Tally
from mem_mcp.cli.output import day, one_line, said


def memory_lines(memory: Recalled, facts: Iterable[str] = ()) -> Iterator[str]:
    """Show a memory of an answer: its score and text, what is known of it, its score's parts.

    Args:
        memory: which.
        facts: what to say of it beside its kind, date, tags and id.
    """
    yield f"{memory.score:.2f}  {said(memory.actor_id, memory.text)}"
    yield f"      {' · '.join(_facts(memory, facts))}"
    if memory.scores:
        yield f"      = {sum_of(memory.scores)}"
    if memory.marks and (marks := marked(memory.marks)):
        yield f"      marked: {marks}"


def sum_of(scores: Mapping[str, float]) -> str:
    """Write the parts of a score that are not 0."""
    return " + ".join(f"{name} {part:.3f}" for name, part in scores.items() if part) or "0"


def marked(tally: Tally) -> str:
    """Write how often a memory was marked; "" where it never was."""
    counts = tally.model_dump().items()
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts if count)


def recall_line(recall_id: str) -> str:
    """Name an answer, so that feedback, outcome and why can."""
    return typer.style(f"recall_id {recall_id}", dim=True)


def _facts(memory: Recalled, more: Iterable[str]) -> Iterator[str]:
    yield memory.kind
    yield from map(one_line, more)
    yield day(memory.occurred_at)
    if memory.valid_until:
        yield f"true until {day(memory.valid_until)}"
    yield from (f"#{one_line(tag)}" for tag in memory.tags)
    yield memory.memory_id
