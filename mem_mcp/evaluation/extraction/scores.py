"""How far what became of a conversation is what was expected. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.api.models import Memory, Model
from mem_mcp.evaluation.extraction.cases import Expected, Script


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made; what was found to be known already is none."""

    event: str
    text: str
    """Afterwards; of a deleted memory, before."""
    target: int | None
    """Which known memory it changed, if any."""
    memory: Memory | None
    """As it is now; None of a deleted one."""
    is_written: bool
    """Whether its text is new: that of a memory that only ends is not."""


class Counts(Model):
    """What is counted of some cases; shares are of sums, so that each change weighs the same."""

    expected: int = 0
    made: int = 0
    hits: int = 0
    """Expected changes that were made: the event, every word and the target."""
    targeted: int = 0
    """Expected changes of known memories."""
    targets: int = 0
    """Those whose event befell the right memory, whatever it says now."""
    dated: int = 0
    """Hits for which a date is expected."""
    dates: int = 0
    """Those that have it."""
    forbidden: int = 0
    """Things that must not be stored."""
    stored: int = 0
    """Those that were."""
    too_many: int = 0
    """Cases that added more memories than allowed."""
    lost: int = 0
    """Expected facts that stand neither in a memory nor in a message that was kept."""

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = self.model_dump(), other.model_dump()
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class Score:
    """One case, scored."""

    counts: Counts
    wrong: list[str]
    """What is not as expected, a phrase each."""


def nothing_made(script: Script) -> Counts:
    """Return the counts of a case that failed: what was expected is missing."""
    targeted = sum(one.target is not None for one in script.expect)
    return Counts(expected=len(script.expect), targeted=targeted)


def lost(script: Script, texts: Sequence[str]) -> int:
    """Count the expected facts of which a word that was said is in none of the texts.

    Args:
        script: the case.
        texts: of all memories and kept messages, with their speakers.
    """
    said = " ".join(f"{one.name or one.role}: {one.content}" for one in script.messages)
    whole = " ".join(texts)
    return sum(
        any(_holds(said, regex) and not _holds(whole, regex) for regex in expected.all_of)
        for expected in script.expect
        if expected.event != "DELETE" and not _stays(script, expected)
    )


def score(script: Script, made: Sequence[Made]) -> Score:
    """Compare what was made with what was expected."""
    pairs = _pairs(script, made)
    dated = [(one, made[pairs[place]]) for place, one in enumerate(script.expect) if place in pairs]
    dated = [(one, change) for one, change in dated if one.date]
    right = [_is_dated(one, change) for one, change in dated]
    targeted = [one for one in script.expect if one.target is not None]
    found = {(change.event, change.target) for change in made}
    stored = list(_stored(script, made))
    added = sum(change.event == "ADD" for change in made)
    wrong = [
        f"missed: {one.event} {' & '.join(one.all_of)}"
        for place, one in enumerate(script.expect)
        if place not in pairs
    ]
    wrong += [
        f"not expected: {change.event} {change.text!r}"
        for place, change in enumerate(made)
        if place not in pairs.values()
    ]
    wrong += [
        f"wrong date: {change.text!r} is not of {one.date}"
        for (one, change), is_right in zip(dated, right, strict=True)
        if not is_right
    ]
    wrong += [f"forbidden: {regex}" for regex in stored]
    if added > script.at_most:
        wrong.append(f"too many: {added} added, at most {script.at_most} wanted")
    counts = Counts(
        expected=len(script.expect),
        made=len(made),
        hits=len(pairs),
        targeted=len(targeted),
        targets=sum((one.event, one.target) in found for one in targeted),
        dated=len(dated),
        dates=sum(right),
        forbidden=len(script.forbid) + len(script.secrets),
        stored=len(stored),
        too_many=int(added > script.at_most),
    )
    return Score(counts, wrong)


def _pairs(script: Script, made: Sequence[Made]) -> dict[int, int]:
    """Pair each expected change with one that was made, by their places.

    As many as can be are paired; of several that fit, one that has the date is preferred.
    """
    fitting = [
        sorted(
            (place for place, change in enumerate(made) if _fits(script, one, change)),
            key=lambda place: not _is_dated(one, made[place]),
        )
        for one in script.expect
    ]
    taken: dict[int, int] = {}

    def seat(place: int, tried: set[int]) -> bool:
        for seat_of in fitting[place]:
            if seat_of in tried:
                continue
            tried.add(seat_of)
            if seat_of not in taken or seat(taken[seat_of], tried):
                taken[seat_of] = place
                return True
        return False

    for place in range(len(script.expect)):
        seat(place, set())
    return {place: seat_of for seat_of, place in taken.items()}


def _fits(script: Script, expected: Expected, change: Made) -> bool:
    return (
        expected.event == change.event
        and expected.target in (None, change.target)
        and all(_holds(change.text, regex) for regex in expected.all_of)
        and not (change.is_written and _stays(script, expected))
    )


def _stays(script: Script, expected: Expected) -> bool:
    """Whether a memory is to end, and not to be written anew."""
    if expected.event != "UPDATE" or expected.target is None:
        return False
    before = script.known[expected.target].text
    return all(_holds(before, regex) for regex in expected.all_of)


def _is_dated(expected: Expected, change: Made) -> bool:
    if not expected.date or change.memory is None:
        return not expected.date
    moments: tuple[datetime | None, ...] = (change.memory.occurred_at, change.memory.valid_until)
    return any(one.isoformat().startswith(expected.date) for one in moments if one)


def _stored(script: Script, made: Sequence[Made]) -> Iterator[str]:
    """Yield what must not be stored, and is."""
    written = [change.memory for change in made if change.is_written and change.memory]
    for regex in script.forbid:
        if any(_holds(memory.text, regex) for memory in written):
            yield regex
    for regex in script.secrets:
        if any(_holds(part, regex) for memory in written for part in _parts(memory)):
            yield regex


def _parts(memory: Memory) -> list[str]:
    edges = [part for one in memory.relations for part in (one.source, one.relation, one.target)]
    lists = (memory.tags, memory.entities, memory.evidence, edges)
    return [memory.text, memory.reason or "", *(part for each in lists for part in each)]


def _holds(text: str, regex: str) -> bool:
    return re.search(regex, text, re.IGNORECASE) is not None
