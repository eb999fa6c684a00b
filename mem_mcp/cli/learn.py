"""mem-mcp outcome, lessons, feedback: from one task to the next like it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import mem_mcp
from mem_mcp.api.models import (
    FeedbackGiven,
    FeedbackRefused,
    FeedbackResult,
    Lesson,
    LessonsResult,
    OutcomeResult,
    ToolStats,
)
from mem_mcp.cli.answers import memory_lines, recall_line
from mem_mcp.cli.options import (
    Agent,
    IdempotencyKey,
    IncludeGlobal,
    Json,
    MaxTokens,
    Metadata,
    OccurredAt,
    Run,
    Since,
    Tags,
    User,
    json_object,
)
from mem_mcp.cli.output import counted, day, one_line, show
from mem_mcp.cli.session import run
from mem_mcp.errors import InvalidInput

_TAKEN_BACK = ("", "NONE")
# Marks that one call takes.
_AT_ONCE = 1_000

Tool = Annotated[str, typer.Option("--tool", help="Tool that it hinged on.")]
TaskType = Annotated[str, typer.Option(help="Sort of task, like sql_debug.")]
Severity = Annotated[str, typer.Option(help="minor, major or critical.")]
AgentVersion = Annotated[str, typer.Option(help="Version of the agent that acted.")]


def outcome(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What was to be done.")],
    outcome: Annotated[str, typer.Option(help="success, failure, partial or unknown.")] = "",
    lesson: Annotated[str, typer.Option(help="What to do, or not to do, next time.")] = "",
    summary: Annotated[str, typer.Option(help="What happened.")] = "",
    task_type: TaskType = "",
    tool: Tool = "",
    severity: Severity = "",
    agent_version: AgentVersion = "",
    confidence: Annotated[float | None, typer.Option(help="In the outcome, 0..1.")] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Raw log, kept and not searched; - reads stdin; repeat."),
    ] = None,
    used: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A memory that was used; repeat.")
    ] = None,
    recall_id: Annotated[
        str, typer.Option(metavar="ID", help="All that this answer brought was used.")
    ] = "",
    shared: Annotated[bool, typer.Option("--global", help="Share it with all users.")] = False,
    tag: Tags = None,
    metadata: Metadata = "",
    occurred_at: OccurredAt = "",
    idempotency_key: IdempotencyKey = "",
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Record how a task went and what it taught.

    The memories that it used rank higher or lower from then on.
    """
    fields = json_object(metadata, "metadata")
    # What a program printed need not be text in every byte.
    logs = [_bytes(file).decode("utf-8", "replace") for file in log or ()]
    result = run(
        lambda memory: memory.record_outcome(
            task,
            outcome,
            lesson=lesson,
            summary=summary,
            task_type=task_type,
            tool_name=tool,
            severity=severity,
            agent_version=agent_version,
            confidence=confidence,
            logs=logs,
            used_memory_ids=used,
            recall_id=recall_id,
            user_scope="global" if shared else "user",
            tags=tag,
            metadata=fields,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _recorded, as_json=as_json)


def lessons(
    task: Annotated[str, typer.Argument(metavar="TASK", help="What is to be done.")],
    task_type: TaskType = "",
    tool: Tool = "",
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="success, failure, partial or unknown; repeat for any of."),
    ] = None,
    severity: Severity = "",
    agent_version: AgentVersion = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(help="At most so many of each list, 1..200.")] = 5,
    max_tokens: MaxTokens = 0,
    include_global: IncludeGlobal = True,
    briefing: Annotated[
        bool, typer.Option("--briefing", help="Print only the text to put into a prompt.")
    ] = False,
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Show what earlier tasks teach for one like them."""
    result = run(
        lambda memory: memory.recall_lessons(
            task,
            task_type=task_type,
            tool_name=tool,
            outcomes=outcome,
            severity=severity,
            agent_version=agent_version,
            since=since,
            limit=limit,
            max_tokens=max_tokens,
            include_global=include_global,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _briefing if briefing else _lessons, as_json=as_json)


def feedback(
    memory_id: Annotated[
        str, typer.Argument(metavar="[MEMORY_ID]", help="From recall or lessons; or --items.")
    ] = "",
    rating: Annotated[
        str | None,
        typer.Argument(
            metavar="[POSITIVE|NEGATIVE|VERY_NEGATIVE|NONE]",
            help="VERY_NEGATIVE also hides it; NONE takes back what was said.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    query: Annotated[str, typer.Option(help="The question that it was recalled for.")] = "",
    recall_id: Annotated[
        str, typer.Option(metavar="ID", help="Or the answer that it came in.")
    ] = "",
    items: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Many, one a line of JSON: memory_id, feedback, and if you like feedback_reason, "
            "recall_id or query; - reads stdin.",
        ),
    ] = "",
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Say whether a recalled memory helped.

    It ranks higher or lower from then on. What is refused of --items is named; the exit code is
    then 1.
    """
    if items:
        if memory_id or rating or reason or query or recall_id:
            raise InvalidInput("--items", "takes the place of MEMORY_ID and of what is said of it")
        marks, bad = _marks(items)
        result = run(lambda memory: _give(memory, marks, user, agent, run_id))
        result = FeedbackResult(results=result.results, errors=[*bad, *result.errors])
    else:
        word = _word(memory_id, rating)
        result = run(
            lambda memory: memory.give_feedback(
                memory_id,
                word,
                feedback_reason=reason,
                recall_id=recall_id,
                query=query,
                user_id=user,
                agent_id=agent,
                run_id=run_id,
            )
        )
    show(result, _rated, as_json=as_json)
    if result.errors:
        raise typer.Exit(1)


def _word(memory_id: str, rating: str | None) -> str:
    if not memory_id:
        raise InvalidInput("MEMORY_ID", "is missing; name a memory, or a file with --items")
    if rating is None:
        raise InvalidInput(
            "feedback", "say POSITIVE, NEGATIVE or VERY_NEGATIVE, or NONE to take it back"
        )
    return "" if rating.upper() in _TAKEN_BACK else rating.upper()


def _marks(file: str) -> tuple[list[dict[str, Any]], list[FeedbackRefused]]:
    marks: list[dict[str, Any]] = []
    bad: list[FeedbackRefused] = []
    for number, line in enumerate(_bytes(file).split(b"\n"), start=1):
        try:
            mark = json_object(line.decode("utf-8-sig").strip(), f"items line {number}")
        except UnicodeDecodeError:
            bad.append(FeedbackRefused(memory_id="", error=f"--items line {number}: is not UTF-8"))
        except InvalidInput as error:
            bad.append(FeedbackRefused(memory_id="", error=str(error)))
        else:
            marks += [] if mark is None else [mark]
    if not marks and not bad:
        raise InvalidInput("--items", f"there is nothing in {file}")
    return marks, bad


async def _give(
    memory: mem_mcp.AsyncMemory, marks: list[dict[str, Any]], user: str, agent: str, run_id: str
) -> FeedbackResult:
    results: list[FeedbackGiven] = []
    errors: list[FeedbackRefused] = []
    for start in range(0, len(marks), _AT_ONCE):
        part = await memory.give_feedback(
            items=marks[start : start + _AT_ONCE], user_id=user, agent_id=agent, run_id=run_id
        )
        results += part.results
        errors += part.errors
    return FeedbackResult(results=results, errors=errors)


def _bytes(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _recorded(result: OutcomeResult) -> Iterator[str]:
    yield f"{result.outcome} recorded as {result.memory_id}"
    if result.credited:
        yield f"  counts for {counted(len(result.credited))} that it used"


def _briefing(result: LessonsResult) -> Iterator[str]:
    yield from map(one_line, result.briefing.splitlines())


def _lessons(result: LessonsResult) -> Iterator[str]:
    found = {
        "lessons": result.lessons,
        "what worked": result.successes,
        "what failed": result.failures,
    }
    if not any(found.values()):
        yield "nothing known about such tasks"
    for title, some in found.items():
        if some:
            yield typer.style(title, bold=True)
        for one in some:
            yield from memory_lines(one, _facts(one))
    if result.tool_stats:
        yield typer.style("tools", bold=True)
        yield from map(_tool, result.tool_stats)
    yield recall_line(result.recall_id)


def _facts(one: Lesson) -> Iterator[str]:
    yield from (fact for fact in (one.outcome, one.task_type, one.tool_name) if fact)
    if one.support > 1:
        yield f"{one.support:,} times"


def _tool(one: ToolStats) -> str:
    tried = one.success + one.failure + one.partial
    partly = f", {one.partial:,} in part" if one.partial else ""
    return (
        f"      {one_line(one.tool_name)}: {one.success:,} of {tried:,} succeeded{partly} "
        f"({one.rate_low:.0%}..{one.rate_high:.0%}), last {day(one.last_used_at)}"
    )


def _rated(result: FeedbackResult) -> Iterator[str]:
    for one in result.results:
        yield f"{one.memory_id}  {one.feedback or 'NONE'} (before: {one.previous or 'NONE'})"
    for refused in result.errors:
        name = f"{one_line(refused.memory_id)}: " if refused.memory_id else ""
        yield f"refused  {name}{one_line(refused.error)}"
