"""What commands print of results: lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import typer

from mem_mcp.api.models import (
    MENTIONED_WITH,
    Erased,
    FeedbackResult,
    ForgetResult,
    GetResult,
    GraphEdge,
    GraphResult,
    Lesson,
    LessonsResult,
    ListResult,
    Maintained,
    Memory,
    OutcomeResult,
    Recalled,
    RecallResult,
    RememberResult,
    Reprocessed,
    Tally,
    ToolStats,
    UpdateResult,
    WhyResult,
)
from mem_mcp.cli.output import counted, day, minute, one_line, said, size, spent

# Memories that are named behind an edge of a graph, and archived ones that are named.
_MOST_IDS = 3
_MOST_SHOWN = 20
_BECAME = {"ADD": "stored as", "UPDATE": "known already, and brought up to date:"}


def remembered(result: RememberResult) -> Iterator[str]:
    """Say under which id each text is stored."""
    for one in result.results:
        yield f"{_BECAME.get(one.event, 'known already as')} {one.memory_id}"
        for near in one.similar:
            yield f"  similar ({near.score:.2f}): {one_line(near.text, 100)}  [{near.memory_id}]"


def recalled(result: RecallResult) -> Iterator[str]:
    """Show the memories of an answer."""
    if not result.memories:
        yield "nothing found"
    for memory in result.memories:
        yield from memory_lines(memory)
    yield from (f"  {name}: {text}" for name, text in result.legend.items())
    yield from _left_out(result.left_out, result.no_room)
    yield recall_line(result.recall_id)


def recorded(result: OutcomeResult) -> Iterator[str]:
    """Say under which id an outcome is stored."""
    yield f"{result.outcome} recorded as {result.memory_id}"
    if result.credited:
        yield f"  counts for {counted(len(result.credited))} that it used"


def lessons(result: LessonsResult, *, briefing: bool = False) -> Iterator[str]:
    """Show what earlier tasks teach.

    Args:
        result: what was recalled.
        briefing: only the text for a prompt.
    """
    if briefing:
        yield from map(one_line, result.briefing.splitlines())
        return
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
            yield from memory_lines(one, _lesson_facts(one))
    if result.tool_stats:
        yield typer.style("tools", bold=True)
        yield from map(_tool, result.tool_stats)
    yield from _left_out(result.left_out, result.no_room)
    yield recall_line(result.recall_id)


def rated(result: FeedbackResult) -> Iterator[str]:
    """Say what became of each mark."""
    for one in result.results:
        yield f"{one.memory_id}  {one.feedback or 'NONE'} (before: {one.previous or 'NONE'})"
    for refused in result.errors:
        name = f"{one_line(refused.memory_id)}: " if refused.memory_id else ""
        yield f"refused  {name}{one_line(refused.error)}"


def listed(result: ListResult) -> Iterator[str]:
    """Show a page of memories, a line each."""
    for memory in result.memories:
        state = "" if memory.status == "active" else f"{memory.status}, "
        text = said(memory.actor_id, memory.text, 100)
        yield f"{memory.memory_id}  {day(memory.occurred_at)}  {state}{memory.kind}  {text}"
    yield f"{len(result.memories):,} of {counted(result.total)}"
    if result.next_cursor:
        yield f"next page: --cursor {result.next_cursor}"


def got(result: GetResult) -> Iterator[str]:
    """Show every field of a memory that is filled, and its history."""
    filled = result.memory.model_dump(mode="json", exclude_defaults=True)
    width = max(map(len, filled))
    yield from (f"{name:<{width}}  {one_line(str(value))}" for name, value in filled.items())
    if result.versions:
        yield "history"
        yield from map(_version, result.versions)


def updated(result: UpdateResult) -> Iterator[str]:
    """Say which version of a memory is current."""
    what = "changed" if result.event == "UPDATE" else "as it was"
    yield f"{what}: {result.memory_id}, version {result.version:,}"


def forgotten(result: ForgetResult) -> Iterator[str]:
    """Say how many memories were, or would be, forgotten."""
    if not result.dry_run:
        yield f"{counted(result.forgotten)} forgotten"
        return
    yield f"{counted(result.forgotten)} would be forgotten; repeat with --confirm to forget them"
    yield from (f"  {memory_id}" for memory_id in result.memory_ids)


def erased(receipt: Erased) -> Iterator[str]:
    """Show what of a user was, or would be, erased."""
    would = "would be " if receipt.dry_run else ""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in receipt.memories.items())
    memories = counted(sum(receipt.memories.values()))
    versions = counted(receipt.versions, "version", "versions")
    marks, recalls = (
        counted(receipt.marks, "mark", "marks"),
        counted(receipt.recalls, "recall", "recalls"),
    )
    yield f"{would}erased of {one_line(receipt.user_id)} at {receipt.erased_at:%Y-%m-%d %H:%M:%S}Z"
    yield f"  {memories}{f' ({kinds})' if kinds else ''}, {versions}"
    yield f"  {receipt.pending:,} of them waited for the language model"
    yield f"  {marks}, {recalls}"
    if receipt.shared:
        taken = f"{would}erased" if receipt.shared_erased else "stay; --shared takes them, too"
        yield f"  {counted(receipt.shared)} for all users {taken}"
    if receipt.gone_by is None and not receipt.degraded and not receipt.dry_run:
        yield "nothing of it is left on the disk"


def receipt(receipt: Erased) -> list[str]:
    """Return the receipt as JSON."""
    return [receipt.model_dump_json(indent=1)]


def graph(result: GraphResult) -> Iterator[str]:
    """Show relations, a line each."""
    if not result.entities:
        yield "no memory speaks of it"
        return
    yield from map(_line, result.edges)
    entities = counted(len(result.entities), "entity", "entities")
    yield f"{entities}, {counted(len(result.edges), 'edge', 'edges')}"


def explained(answer: WhyResult) -> Iterator[str]:
    """Show why a memory was, or was not, in an answer."""
    yield one_line(answer.verdict)
    yield f"  question  {one_line(answer.query, 200)}"
    if answer.scores:
        yield f"  score     {answer.score:.3f} = {sum_of(answer.scores)}"
    yield from (f"  {name:<9} {text}" for name, text in answer.legend.items())
    yield from (f"  {one_line(detail)}" for detail in answer.details)


def maintained(done: Maintained) -> Iterator[str]:
    """Show what a pass of maintenance did."""
    would = "would be " if done.dry_run else ""
    if done.embedded:
        yield f"{would}embedded  {counted(done.embedded)}"
    if done.archived or done.dry_run:
        yield f"{would}archived  {counted(len(done.archived))}"
    for one in done.archived[:_MOST_SHOWN]:
        yield f"  {one.memory_id}  {one_line(one.text, 60)}"
        yield f"    {one_line(one.reason.removeprefix('archived: '))}"
    if len(done.archived) > _MOST_SHOWN:
        yield f"  and {len(done.archived) - _MOST_SHOWN:,} more; --json names all"
    if done.pruned_traces:
        yield f"{would}dropped   {counted(done.pruned_traces, 'old trace', 'old traces')}"
    if not done.ran:
        yield "nothing was changed" if done.dry_run else f"left alone: {done.reason}"
        return
    yield f"files      {done.files_before:,} -> {done.files_after:,}"
    yield f"directory  {size(done.bytes_before)} -> {size(done.bytes_after)}"


def reprocessed(done: Reprocessed) -> Iterator[str]:
    """Show how much the language model has read."""
    yield f"read     {counted(done.processed, 'request', 'requests')}"
    yield f"waiting  {counted(done.waiting)}"
    if done.llm:
        yield f"model    {counted(done.llm.calls, 'call', 'calls')}, {spent(done.llm)}"
    yield from (f"  {one_line(note)}" for note in done.degraded)


def memory_lines(memory: Recalled, facts: Iterable[str] = ()) -> Iterator[str]:
    """Show a memory of an answer: its score and text, what is known of it, its score's parts.

    Args:
        memory: which.
        facts: what to say of it beside its kind, date, tags and id.
    """
    yield f"{memory.score:.2f}  {said(memory.actor_id, memory.text)}"
    yield f"      {' · '.join(_facts(memory, facts))}"
    if memory.also:
        yield f"      also {' '.join(memory.also)}"
    if memory.scores:
        yield f"      = {sum_of(memory.scores)}"
    if memory.matched:
        yield f"      words: {one_line(', '.join(memory.matched), 200)}"
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
    if "text" in memory.cut:
        yield f"part of {memory.cut['text']:,} characters"
    yield memory.memory_id


def _left_out(less: int, no_room: int) -> Iterator[str]:
    if less:
        yield f"{counted(less)} that fit less left out; --min-score 0 shows all"
    if no_room:
        yield f"{counted(no_room)} left out for want of room; a larger --max-tokens gives it"


def _lesson_facts(one: Lesson) -> Iterator[str]:
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


def _version(memory: Memory) -> str:
    why = f" ({one_line(memory.reason)})" if memory.reason else ""
    when = minute(memory.recorded_at)
    return f"  v{memory.version} {memory.event:<6} {when}  {one_line(memory.text, 100)}{why}"


def _line(edge: GraphEdge) -> str:
    source, relation, target = map(one_line, (edge.source, edge.relation, edge.target))
    arrow = "--" if edge.relation == MENTIONED_WITH else "->"
    more = len(edge.memory_ids) - _MOST_IDS
    by = ", ".join(edge.memory_ids[:_MOST_IDS]) + (f" and {more:,} more" if more > 0 else "")
    return f"{source} -- {relation} {arrow} {target}  ({by})"


def dot(result: GraphResult) -> Iterator[str]:
    """Write a graph in the DOT language of Graphviz."""
    yield "digraph memory {"
    yield from (f"  {_quoted(entity)};" for entity in result.entities)
    for edge in result.edges:
        style = ", dir=none, style=dashed" if edge.relation == MENTIONED_WITH else ""
        ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
        yield f"  {ends} [label={_quoted(edge.relation)}{style}];"
    yield "}"


def _quoted(text: str) -> str:
    """Write a name as a string of the DOT language."""
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
