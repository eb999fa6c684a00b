"""What `mem-mcp stats` prints."""

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


def stats_lines(found: Stats) -> Iterator[str]:
    """Write what a store holds, and how its memories are used as far as that is known."""
    yield f"store     {found.location}, {size(found.data_bytes)}, commit {found.table_version}"
    yield (
        f"memories  {found.memories:,} of {counted(found.users, 'user', 'users')}; "
        f"{counted(found.versions, 'version', 'versions')} in all"
    )
    yield f"kinds     {_counts(found.by_kind)}"
    yield f"status    {_counts(found.by_status)}"
    yield f"embedder  {found.embedder or 'cannot work; mem-mcp doctor says why'}"
    if found.without_vector:
        yield f"no vector {found.without_vector:,}; mem-mcp maintain embeds them"
    yield from _models(found)
    yield from _learning(found.learning)


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in by.items()) or "-"


def _models(found: Stats) -> Iterator[str]:
    for number, one in enumerate(found.models[:_NAMES]):
        title = "" if number else "models"
        name = one_line(one.model, _LONGEST)
        calls = counted(one.calls, one.call, f"{one.call}s")
        yield (
            f"{title:<10}{name}: {calls} in {found.models_days} days{_faults(one)}, {spent(one)}, "
            f"{one.seconds_mean:.1f} s each"
        )
    if (today := found.models_today) is not None and today.calls:
        yield f"today     {counted(today.calls, 'call', 'calls')}{_retries(today)}, {spent(today)}"


def _faults(found: ModelUse) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.failures.items())
    return _retries(found) + (f", {found.failed:,} failed ({reasons})" if reasons else "")


def _retries(found: ModelsUse) -> str:
    return f", {counted(found.retries, 'retry', 'retries')}" if found.retries else ""


def _learning(found: Learning) -> Iterator[str]:
    feedback, outcomes = found.feedback, found.outcomes
    if found.traces:
        yield (
            f"answers   {found.traces:,} in {found.window_days} days, with "
            f"{counted(feedback.recalled)}, {_percent(feedback.share)} of them rated"
        )
    if rated := _ratings(feedback):
        yield f"ratings   {rated}"
    if outcomes.rate is not None or outcomes.unknown:
        yield f"outcomes  {_outcomes(outcomes)}"
    if found.traces and found.never_recalled:
        yield f"unused    {counted(found.never_recalled)} in none of these answers, the oldest:"
        yield from (f"  {memory_id}" for memory_id in found.never_recalled_ids[:_MEMORIES])
    yield from _weeks(feedback.weeks, outcomes.weeks)
    yield from _names("by task type", found.by_task_type)
    yield from _names("by tool", found.by_tool)
    yield from _marked("most helpful", found.most_helpful)
    yield from _marked("most harmful", found.most_harmful)


def _ratings(found: FeedbackStats | FeedbackWeek) -> str:
    words = {
        "for": found.positive,
        "against": found.negative,
        "strongly against": found.very_negative,
    }
    return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)


def _outcomes(found: OutcomeStats) -> str:
    words = {name: getattr(found, name) for name in ("success", "failure", "partial", "unknown")}
    return (
        ", ".join(f"{count:,} {name}" for name, count in words.items() if count)
        + f"; success rate {_percent(found.rate)}"
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


def _names(title: str, found: Sequence[OutcomeStats]) -> Iterator[str]:
    if not found:
        return
    yield title
    width = max(len(one_line(one.name, _LONGEST)) for one in found[:_NAMES])
    for one in found[:_NAMES]:
        weeks = ", ".join(
            f"{week.week[5:]} {_rate(week)}" for week in one.weeks[-_WEEKS_OF_A_NAME:]
        )
        rate = f"{_percent(one.rate):>5} of {one.tried:,}"
        line = f"  {one_line(one.name, _LONGEST):<{width}}  {rate}"
        yield f"{line}; {weeks}" if len(one.weeks) > 1 else line


def _marked(title: str, found: Sequence[Marked]) -> Iterator[str]:
    if found:
        yield title
    for one in found[:_MEMORIES]:
        yield f"  {one.memory_id}  {one_line(one.text, _LONGEST)}"
        yield f"    {_said(one.marks)}"


def _said(marks: Tally) -> str:
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
