"""What is searched and shown of a procedure; its results stand in the log word for word. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mem_mcp.extraction.quotes import Passages
from mem_mcp.extraction.secrets import masked
from mem_mcp.prompts.procedure import Procedure


def compose(answer: Procedure, passages: Sequence[str]) -> tuple[str, list[str]]:
    """Return the text of a procedure, and what of the answer does not count, in sentences.

    Args:
        answer: of a model.
        passages: of the log, as the model was shown them.
    """
    shown = Passages(passages)
    steps: list[str] = []
    unfounded = 0
    for step in answer.steps:
        if not (action := _line(step.action)):
            continue
        result = _line(step.result or "")
        if result and not shown.holding(result):
            result, unfounded = "", unfounded + 1
        steps.append(f"{len(steps) + 1}. {action}{f' -> {result}' if result else ''}")
    parts = [
        answer.overview.strip(),
        *_section("Steps:", steps),
        *_section("Findings:", _listed(answer.findings)),
        *_section("Errors:", _listed(answer.errors)),
        *_section("Resume from:", [(answer.resume or "").strip()]),
    ]
    dropped = []
    if unfounded:
        dropped.append(f"results of {unfounded} steps are not in the log and were left out")
    text = "\n".join(part for part in parts if part)
    # A step without its secret can still be followed; without the step, the others cannot.
    if (kept := masked(text)) != text:
        dropped.append("what looks like a secret was left out, where … stands")
    return kept, dropped


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    if kept := [line for line in lines if line]:
        yield "\n".join([head, *kept])


def _listed(lines: Sequence[str]) -> Iterator[str]:
    return (f"- {_line(line)}" for line in lines if line.strip())


def _line(text: str) -> str:
    return " ".join(text.split())
