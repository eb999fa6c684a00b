"""The lines that `mem-mcp stats` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mem_mcp.api.models import Tally
from mem_mcp.api.stats import (
    FeedbackStats,
    FeedbackWeek,
    Learning,
    Marked,
    ModelsUse,
    ModelUse,
    OutcomeStats,
    OutcomeWeek,
    Stats,
)
from mem_mcp.cli.output import counted, one_line, size, spent

_WEEKS = 8
_WEEKS_OF_A_NAME = 4
_NAMES = 10
_MEMORIES = 5
_LONGEST = 60


def stats_lines(stats: Stats) -> Iterator[str]:
    """Yield the lines: what the store holds, and how its memories are used if that is known."""
    yield f"store     {stats.location}, {size(stats.data_bytes)}, commit {stats.table_version}"
    yield (
        f"memories  {stats.memories:,} of {counted(stats.users, 'user', 'users')}; "
        f"{counted(stats.versions, 'version', 'versions')} in all"
    )
    yield f"kinds     {_counts(stats.by_kind)}"
    yield f"status    {_counts(stats.by_status)}"
    if stats.waiting:
        given_up = f", {stats.given_up:,} of them given up" if stats.given_up else ""
        yield f"waiting   {stats.waiting:,}{given_up}; mem-mcp reprocess lets the model read them"
    yield f"embedder  {stats.embedder or 'cannot work; mem-mcp doctor says why'}"
    if stats.without_vector:
        anew = "a running server embeds them anew, and mem-mcp reembed does it now"
        remedy = anew if stats.embedded_anew else "mem-mcp maintain embeds them"
        yield f"no vector {stats.without_vector:,}; {remedy}"
    yield from _models(stats)
    yield from _learning(stats.learning)


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in by.items()) or "-"


def _models(stats: Stats) -> Iterator[str]:
    for number, use in enumerate(stats.models[:_NAMES]):
        title = "" if number else "models"
        name = one_line(use.model, _LONGEST)
        calls = counted(use.calls, use.call, f"{use.call}s")
        yield (
            f"{title:<10}{name}: {calls} in {stats.models_days} days{_faults(use)}, {spent(use)}, "
            f"{use.seconds_mean:.1f} s each"
        )
    if (today := stats.models_today) is not None and today.calls:
        yield f"today     {counted(today.calls, 'call', 'calls')}{_retries(today)}, {spent(today)}"


def _faults(use: ModelUse) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in use.failures.items())
    return _retries(use) + (f", {use.failed:,} failed ({reasons})" if reasons else "")


def _retries(use: ModelsUse) -> str:
    return f", {counted(use.retries, 'retry', 'retries')}" if use.retries else ""


def _learning(learning: Learning) -> Iterator[str]:
    feedback, outcomes = learning.feedback, learning.outcomes
    if learning.traces:
        yield (
            f"answers   {learning.traces:,} in {learning.window_days} days, with "
            f"{counted(feedback.recalled)}, {_percent(feedback.share)} of them rated"
        )
    if rated := _ratings(feedback):
        yield f"ratings   {rated}"
    if outcomes.rate is not None or outcomes.unknown:
        yield f"outcomes  {_outcomes(outcomes)}"
    if learning.traces and learning.never_recalled:
        yield f"unused    {counted(learning.never_recalled)} in none of these answers, the oldest:"
        yield from (f"  {memory_id}" for memory_id in learning.never_recalled_ids[:_MEMORIES])
    yield from _weeks(feedback.weeks, outcomes.weeks)
    yield from _names("by task type", learning.by_task_type)
    yield from _names("by tool", learning.by_tool)
    yield from _marked("most helpful", learning.most_helpful)
    yield from _marked("most harmful", learning.most_harmful)


def _ratings(feedback: FeedbackStats | FeedbackWeek) -> str:
    words = {
        "for": feedback.positive,
        "against": feedback.negative,
        "strongly against": feedback.very_negative,
    }
    return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)


def _outcomes(outcomes: OutcomeStats) -> str:
    words = {name: getattr(outcomes, name) for name in ("success", "failure", "partial", "unknown")}
    return (
        ", ".join(f"{count:,} {name}" for name, count in words.items() if count)
        + f"; success rate {_percent(outcomes.rate)}"
    )


def _weeks(rated: Sequence[FeedbackWeek], ended: Sequence[OutcomeWeek]) -> Iterator[str]:
    ratings = {week.week: _ratings(week) for week in rated}
    rates = {week.week: f"{_rate(week)} of {week.tried:,}" for week in ended}
    weeks = sorted({*ratings, *rates})[-_WEEKS:]
    if not weeks:
        return
    yield f"{'week':<10}{'succeeded':<18}ratings"
    for week in weeks:
        yield f"{week:<10}{rates.get(week, '-'):<18}{ratings.get(week, '-')}"


def _names(title: str, by_name: Sequence[OutcomeStats]) -> Iterator[str]:
    if not by_name:
        return
    yield title
    width = max(len(one_line(outcomes.name, _LONGEST)) for outcomes in by_name[:_NAMES])
    for outcomes in by_name[:_NAMES]:
        weeks = ", ".join(
            f"{week.week[5:]} {_rate(week)}" for week in outcomes.weeks[-_WEEKS_OF_A_NAME:]
        )
        rate = f"{_percent(outcomes.rate):>5} of {outcomes.tried:,}"
        line = f"  {one_line(outcomes.name, _LONGEST):<{width}}  {rate}"
        yield f"{line}; {weeks}" if len(outcomes.weeks) > 1 else line


def _marked(title: str, memories: Sequence[Marked]) -> Iterator[str]:
    if memories:
        yield title
    for memory in memories[:_MEMORIES]:
        yield f"  {memory.memory_id}  {one_line(memory.text, _LONGEST)}"
        yield f"    {_marks(memory.marks)}"


def _marks(marks: Tally) -> str:
    words = {
        "{:,} for": marks.positive,
        "{:,} against": marks.negative,
        "{:,} strongly against": marks.very_negative,
        "successes that used it: {:,}": marks.successes,
        "failures that used it: {:,}": marks.failures,
    }
    return ", ".join(word.format(count) for word, count in words.items() if count)


def _rate(week: OutcomeWeek) -> str:
    return _percent(week.good / week.tried if week.tried else None)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
