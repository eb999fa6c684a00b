"""The report of the stream: how often each arm acted rightly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from mem_mcp.api.models import Model
from mem_mcp.evaluation.learning.simulated_agent import NEIGHBOURS, POWER, SHARE
from mem_mcp.evaluation.metrics import bootstrap_interval
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.retrieval.evidence_report import Gain, Interval

LAST = 500
"""Messages at the end of the stream that are also shown by themselves."""


class Acted(Row):
    """One message; a failed one was not acted on rightly, or not recorded."""

    action: str
    right: dict[str, bool]
    """By arm."""


class Accuracy(Model):
    """Share of messages that an arm acted on rightly, in percent."""

    whole: float
    interval: Interval
    """95 % bootstrap interval of it."""
    last: float
    """Of the end of the stream."""
    exact_whole: float
    """What the same rule reaches with the nearest episodes by exact cosine."""
    exact_last: float
    failed: int


class Difference(Model):
    """How much more often one arm was right than another; paired bootstrap intervals."""

    arm: str
    whole: Gain
    last: Gain


class StreamReport(Report):
    """How well an agent learns from what it recorded."""

    actions: int
    arms: dict[str, Accuracy]
    differences: Sequence[Difference]
    rows: Sequence[Acted]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return f"{self.suite}: {len(self.rows):,} messages, {self.actions} actions, in percent"

    def page(self) -> Page:
        """Return what is shown of it."""
        return Page(self.title, [self._arms(), self._differences()], list(self._notes()))

    def _arms(self) -> Table:
        last = f"last {min(LAST, len(self.rows))}"
        return [
            ["recalled", "right", "95 % interval", last, "exact: right", f"exact: {last}"],
            *(
                [
                    name,
                    f"{each.whole:.1f}",
                    "{:.1f}-{:.1f}".format(*each.interval),
                    f"{each.last:.1f}",
                    f"{each.exact_whole:.1f}",
                    f"{each.exact_last:.1f}",
                ]
                for name, each in self.arms.items()
            ),
        ]

    def _differences(self) -> Table:
        last = f"last {min(LAST, len(self.rows))}"
        return [
            ["difference", "right", "95 % interval", last, "95 % interval"],
            *(
                [f"{each.arm} - {each.whole.over}", *_cells(each.whole), *_cells(each.last)]
                for each in self.differences
            ),
        ]

    def _notes(self) -> Iterator[str]:
        yield (
            "rule: the action whose name is closest to the message by cosine, corrected by the "
            f"{NEIGHBOURS} best of the recalled episodes: each adds {SHARE} cosine^{POWER} of its "
            "message to its action if it went well, and takes it away if not"
        )
        yield (
            "told: only whether the action was right; exact: the same rule with the nearest "
            "episodes by cosine in place of the memory's"
        )
        yield from self.origin()


def accuracy(right: Sequence[bool], exact: Sequence[bool], failed: int, seed: int) -> Accuracy:
    """Summarise what an arm did, and what it would have done with the nearest episodes."""
    low, high = bootstrap_interval([100.0 * one for one in right], seed=seed)
    return Accuracy(
        whole=_percent(right),
        interval=(round(low, 2), round(high, 2)),
        last=_percent(right[-LAST:]),
        exact_whole=_percent(exact),
        exact_last=_percent(exact[-LAST:]),
        failed=failed,
    )


def differences(
    right: Mapping[str, Sequence[bool]], pairs: Sequence[tuple[str, str]], seed: int
) -> list[Difference]:
    """Compare arms, message by message."""
    return [
        Difference(
            arm=arm,
            whole=_gain(right[arm], right[over], over, seed),
            last=_gain(right[arm][-LAST:], right[over][-LAST:], over, seed),
        )
        for arm, over in pairs
    ]


def _gain(ours: Sequence[bool], theirs: Sequence[bool], over: str, seed: int) -> Gain:
    points = [100.0 * (one - other) for one, other in zip(ours, theirs, strict=True)]
    low, high = bootstrap_interval(points, seed=seed)
    return Gain(over=over, points=round(fmean(points), 2), interval=(round(low, 2), round(high, 2)))


def _percent(right: Sequence[bool]) -> float:
    return round(100 * fmean(right), 2)


def _cells(gain: Gain) -> list[str]:
    return [f"{gain.points:+.1f}", "{:+.1f} to {:+.1f}".format(*gain.interval)]
