"""The curve of tokens as a picture; needs matplotlib, the extra `plot`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.retrieval.token_budget import USUAL, CurveReport

_INK, _PALE = "#1f5fa8", "#707070"
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_BELOW = {"textcoords": "offset points", "va": "top", "bbox": _WHITE}


def check_plot() -> None:
    """Refuse to plot where matplotlib is not installed, before the work is done.

    Raises:
        InvalidInput: it is not.
    """
    if find_spec("matplotlib") is None:
        raise InvalidInput("--plot", 'needs matplotlib: pip install "mem-mcp[plot]"')


def draw(report: CurveReport, path: Path) -> None:
    """Write an SVG: the evidence found against the tokens, beside 20 memories and the whole."""
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    from matplotlib.figure import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        Figure,
    )

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", ylim=(0, 104))
    _frame(axes, report)
    _curve(axes, report)
    _beside(axes, report)
    with mpl.rc_context({"svg.hashsalt": "mem-mcp"}):  # the same report, the same file
        figure.savefig(path, format="svg", metadata={"Date": None})


def _frame(axes: Any, report: CurveReport) -> None:  # noqa: ANN401 - matplotlib is optional
    ticks = [*report.budgets, round(report.full_tokens)]
    axes.set_xticks(ticks, [f"{each:,}" for each in ticks])
    axes.set_xlim(min(ticks) * 0.8, max(ticks) * 1.6)
    axes.minorticks_off()
    axes.set_xlabel("tokens allowed (95 % interval shaded)")
    axes.set_ylabel("evidence found, percent")
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Any, report: CurveReport) -> None:  # noqa: ANN401
    tokens, points = list(report.budgets), report.budgets.values()
    low, high = zip(*(point.interval for point in points), strict=True)
    axes.fill_between(tokens, low, high, color=_INK, alpha=0.15, linewidth=0)
    axes.plot(tokens, [point.found for point in points], "o-", color=_INK)
    for place in zip(tokens, (point.found for point in points), strict=True):
        axes.annotate(f"{place[1]:.1f}", place, (0, -12), ha="center", color=_INK, **_BELOW)


def _beside(axes: Any, report: CurveReport) -> None:  # noqa: ANN401
    whole, usual = report.full_tokens, report.usual
    axes.axhline(usual.found, color=_PALE, linestyle="--", linewidth=1, zorder=0)
    label = f"{USUAL} memories ({usual.tokens:,.0f} tokens): {usual.found:.1f}"
    axes.annotate(label, (whole * 1.5, usual.found), (0, -4), ha="right", color=_PALE, **_BELOW)
    axes.plot([whole], [100], "s", color=_PALE)
    name = "whole\nconversation"
    axes.annotate(name, (whole, 100), (0, -9), ha="center", color=_PALE, **_BELOW)
