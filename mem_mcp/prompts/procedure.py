"""Ask what an agent did, step by step, from its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.prompts.delimiters import IS_DATA, asked_for, block
from mem_mcp.prompts.response import Response
from mem_mcp.prompts.template import NO_SECRETS, asking

GUIDANCE = """\
You write down what an AI agent did, from its log, so that it or another agent can go on from \
there, or do the like again, without reading the log.

{rules}"""

RULES = f"""\
- {IS_DATA}
- overview: the goal and how far it was reached, in at most three sentences.
- steps: in the order they were done; each one action, with what it was done to (commands, files, \
addresses, arguments, in full). Leave out steps that changed nothing and showed nothing.
- result: what came of the step, copied without change or gap from <log>: the line or value that \
matters. null if the log shows none. A gap marked there was cut out: fill it with nothing.
- findings: what turned out and will matter later. errors: what went wrong, and what helped if \
something did. Empty lists where there is none.
- resume: what is done, what is open and the next action. null if nothing is open.
- Write in the language of <task>, or of the log where there is no task; copy names, numbers, \
paths and messages as they are.
- State nothing that the log does not show. {NO_SECRETS}"""


class ProcedureStep(Response):
    """One action and its result."""

    action: str
    result: str | None
    """Copied from the log"""


class Procedure(Response):
    """The answer."""

    overview: str
    steps: list[ProcedureStep]
    findings: list[str]
    errors: list[str]
    resume: str | None


def messages(
    log: str,
    *,
    task: str = "",
    instructions: Sequence[str] = (),
    guidance: str = GUIDANCE,
) -> list[dict[str, Any]]:
    """Ask for the procedure that a log shows.

    Args:
        log: the log; it must fit the model's window.
        task: what was to be done, if known.
        instructions: what to keep or leave out: the server's, then the call's.
        guidance: the task, with PLACEHOLDER for the rules.
    """
    parts = [*asked_for(instructions), *([block("task", task)] if task.strip() else [])]
    parts.append(block("log", log))
    return asking(guidance, RULES, "\n\n".join(parts))
