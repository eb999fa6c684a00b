"""Draw the trends of `mem-mcp stats`; needs matplotlib, the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mem_mcp.api.stats import FeedbackWeek, Learning, OutcomeStats, OutcomeWeek
from mem_mcp.cli.output import one_line
from mem_mcp.errors import InvalidInput

_BLUE, _ORANGE, _RED, _PALE = "#1f5fa8", "#e69f00", "#b2182b", "#b8c4d0"
_GREY, _INK = "#707070", "#333333"
_LINES = (("#1f5fa8", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"))
# Field, label, colour, and whether the bar is below zero.
_RATINGS = (
    ("positive", "for", _BLUE, False),
    ("negative", "against", _ORANGE, True),
    ("very_negative", "strongly against", _RED, True),
)
_OUTCOMES = (
    ("success", "success", _BLUE, False),
    ("partial", "partial", _PALE, False),
    ("failure", "failure", _ORANGE, True),
)
# The axis has at least so many weeks: the bar of a single one would fill the whole width.
_FEWEST_WEEKS = 8
# From so many weeks on, each rate is taken over _TOGETHER weeks, because weekly rates vary widely.
_MANY_WEEKS = 13
_TOGETHER = 4
_MOST_TICKS = 7
_NAME = 24
_UNDER = {"loc": "upper left", "bbox_to_anchor": (0, -0.25), "frameon": False, "fontsize": 9}


def check_plot(path: Path) -> None:
    """Check, before the work is done, that a picture can be drawn; create its folder.

    Raises:
        InvalidInput: matplotlib is not installed, or the path is a folder or of another format.
    """
    if path.suffix.lower() not in ("", ".svg"):
        raise InvalidInput(
            "--plot", f"{path} is no name of an SVG, the one format drawn; name it {path.stem}.svg"
        )
    if find_spec("matplotlib") is None:
        raise InvalidInput("--plot", 'needs matplotlib: pip install "mem-mcp[plot]"')
    if path.is_dir():
        raise InvalidInput("--plot", f"{path} is a folder, not a file")
    path.parent.mkdir(parents=True, exist_ok=True)


def draw(learning: Learning, path: Path) -> None:
    """Write an SVG: ratings and outcomes by week, and success rates by task type and tool.

    Raises:
        InvalidInput: there is nothing to draw yet.
    """
    weeks = _weeks(learning)
    if not weeks:
        raise InvalidInput("--plot", "nothing to draw yet: no ratings and no outcomes in a year")

    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "mem-mcp"}):  # the same figures give the same file
        _figure(learning, weeks).savefig(path, format="svg", metadata={"Date": None})


def _figure(learning: Learning, weeks: Sequence[date]) -> Any:  # noqa: ANN401 - matplotlib is optional
    from matplotlib.figure import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        Figure,
    )

    figure = Figure(figsize=(11, 7.6), layout="constrained")
    (ratings, tasks), (outcomes, tools) = figure.subplots(2, 2)
    ratings.set_title("Ratings by week")
    _bars(ratings, weeks, learning.feedback.weeks, _RATINGS)
    outcomes.set_title("Outcomes by week")
    _bars(outcomes, weeks, learning.outcomes.weeks, _OUTCOMES)
    over = f", over {_TOGETHER} weeks each" if len(weeks) >= _MANY_WEEKS else ""
    tasks.set_title(f"Success rate by task type{over}")
    _rates(tasks, weeks, learning.outcomes, learning.by_task_type)
    tools.set_title(f"Success rate by tool{over}")
    _rates(tools, weeks, learning.outcomes, learning.by_tool)
    for axes in (ratings, tasks, outcomes, tools):
        _frame(axes, weeks)
    return figure


def _weeks(learning: Learning) -> list[date]:
    """Return the Mondays of all weeks from the first to the last with feedback or an outcome."""
    names = {
        week.week for weeks in (learning.feedback.weeks, learning.outcomes.weeks) for week in weeks
    }
    if not names:
        return []
    mondays = [date.fromisocalendar(int(name[:4]), int(name[6:]), 1) for name in names]
    last = max(mondays)
    first = min(*mondays, last - timedelta(weeks=_FEWEST_WEEKS - 1))
    return [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]


def _name(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year:04}-W{week:02}"


def _frame(axes: Any, weeks: Sequence[date]) -> None:  # noqa: ANN401
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("ISO week")
    axes.set_xlim(-0.7, len(weeks) - 0.3)
    step = -(-len(weeks) // _MOST_TICKS)
    ticks = range(len(weeks) - 1, -1, -step)[::-1]  # the last week always has a tick
    labels = [_name(weeks[tick]) for tick in ticks]
    # Label the first tick of each year with the year.
    years = [index == 0 or labels[index - 1][:4] != label[:4] for index, label in enumerate(labels)]
    axes.set_xticks(
        ticks,
        [
            f"{label[5:]}\n{label[:4]}" if year else label[5:]
            for label, year in zip(labels, years, strict=True)
        ],
    )


def _bars(
    axes: Any,  # noqa: ANN401
    weeks: Sequence[date],
    counts: Sequence[FeedbackWeek] | Sequence[OutcomeWeek],
    series: Sequence[tuple[str, str, str, bool]],
) -> None:
    """Draw stacked bars of counts by week; each series is above or below zero."""
    by_week = {count.week: count for count in counts}
    bottoms = {False: [0] * len(weeks), True: [0] * len(weeks)}
    for field, name, color, below in series:
        values = [getattr(by_week.get(_name(week)), field, 0) for week in weeks]
        heights = [-value if below else value for value in values]
        axes.bar(
            range(len(weeks)), heights, 0.8, bottom=bottoms[below], color=color,
            label=f"{name} ({sum(values):,})",
        )  # fmt: skip
        bottoms[below] = [sum(pair) for pair in zip(bottoms[below], heights, strict=True)]
    axes.axhline(0, color=_INK, linewidth=0.8)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.set_ylabel("number")
    axes.legend(ncols=3, **_UNDER)


def _rates(
    axes: Any,  # noqa: ANN401
    weeks: Sequence[date],
    everything: OutcomeStats,
    by_name: Sequence[OutcomeStats],
) -> None:
    """Draw success rates by week: of all outcomes, and of the first few names."""
    label = f"all ({everything.tried:,})"
    axes.plot(*_line(weeks, everything), "--.", color=_GREY, linewidth=1.2, label=label)
    for outcomes, (color, marker) in zip(by_name, _LINES, strict=False):
        label = f"{_short(outcomes.name)} ({outcomes.tried:,})"
        axes.plot(*_line(weeks, outcomes), marker=marker, markersize=4, color=color, label=label)
    axes.grid(axis="y", color=_PALE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(-4, 104)
    axes.set_ylabel("success rate, percent")
    axes.legend(ncols=2, **_UNDER)


def _line(weeks: Sequence[date], outcomes: OutcomeStats) -> tuple[list[int], list[float]]:
    """Return the indices of the weeks with outcomes, and their success rates in percent."""
    numbers = {_name(week): number for number, week in enumerate(weeks)}
    good, tried = [0.0] * len(weeks), [0] * len(weeks)
    for week in outcomes.weeks:
        if week.week in numbers:
            good[numbers[week.week]] = week.good
            tried[numbers[week.week]] = week.tried
    reach = _TOGETHER if len(weeks) >= _MANY_WEEKS else 1
    shown = [number for number, count in enumerate(tried) if count]
    spans = [slice(max(0, number + 1 - reach), number + 1) for number in shown]
    return shown, [100 * sum(good[span]) / sum(tried[span]) for span in spans]


def _short(name: str) -> str:
    line = one_line(name, _NAME).replace("$", r"\$")  # matplotlib reads $…$ as a formula
    return f" {line}" if line.startswith("_") else line  # and hides such labels
