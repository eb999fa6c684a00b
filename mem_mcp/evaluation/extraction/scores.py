"""How far the changes that a conversation made are the expected ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mem_mcp.api.models import Memory, Model
from mem_mcp.evaluation.extraction.cases import Expected, Script


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """A change that was made to a memory."""

    event: str
    text: str
    """After the change; before it, for a deleted memory."""
    target: int | None
    """Place of the known memory that it changed, if any."""
    memory: Memory | None
    """The memory after the change; None for a deleted one."""
    is_written: bool
    """Whether the text is new: that of a memory that only ends is not."""


class ChangeCounts(Model):
    """Counts over some cases; shares are of sums, so that each change weighs the same."""

    expected: int = 0
    made: int = 0
    hits: int = 0
    """Expected changes that were made, with the right event, every word and the right target."""
    targeted: int = 0
    """Expected changes of known memories."""
    targets: int = 0
    """Those whose event changed the right memory, whatever its text says now."""
    dated: int = 0
    """Hits for which a date is expected."""
    dates: int = 0
    """Those that have the right date."""
    forbidden: int = 0
    """Things that must not be stored."""
    stored: int = 0
    """Those that were."""
    too_many: int = 0
    """Cases that added more memories than allowed."""
    lost: int = 0
    """Expected facts that stand neither in a memory nor in a message that was kept."""

    def __add__(self, other: ChangeCounts) -> ChangeCounts:
        ours, theirs = self.model_dump(), other.model_dump()
        return ChangeCounts(**{name: ours[name] + theirs[name] for name in ours})


def nothing_made(script: Script) -> ChangeCounts:
    """Return the counts of a case that failed: it misses all that is expected."""
    targeted = sum(expected.target is not None for expected in script.expect)
    return ChangeCounts(expected=len(script.expect), targeted=targeted)


def count_lost(script: Script, texts: Sequence[str]) -> int:
    """Count the expected facts of which a word that was said is in none of the texts.

    Args:
        script: the case.
        texts: of all memories and kept messages, with their speakers.
    """
    said = " ".join(
        f"{message.name or message.role}: {message.content}" for message in script.messages
    )
    stored = " ".join(texts)
    return sum(
        any(_holds(said, regex) and not _holds(stored, regex) for regex in expected.all_of)
        for expected in script.expect
        if expected.event != "DELETE" and not _stays(script, expected)
    )


def score(script: Script, changes: Sequence[MemoryChange]) -> tuple[ChangeCounts, list[str]]:
    """Compare the changes that were made with the expected ones.

    Returns:
        The counts, and a phrase for each difference.
    """
    pairs = _pairs(script, changes)
    missed = [expected for place, expected in enumerate(script.expect) if place not in pairs]
    unexpected = [each for place, each in enumerate(changes) if place not in pairs.values()]
    hits = ((script.expect[place], changes[partner]) for place, partner in sorted(pairs.items()))
    dated = [(expected, change) for expected, change in hits if expected.date]
    misdated = [pair for pair in dated if not _is_dated(*pair)]
    targeted = [expected for expected in script.expect if expected.target is not None]
    befallen = {(change.event, change.target) for change in changes}
    stored = list(_stored(script, changes))
    added = sum(change.event == "ADD" for change in changes)
    wrong = [
        *(f"missed: {each.event} {' & '.join(each.all_of)}" for each in missed),
        *(f"not expected: {each.event} {each.text!r}" for each in unexpected),
        *(f"wrong date: {each.text!r} is not of {expected.date}" for expected, each in misdated),
        *(f"forbidden: {regex}" for regex in stored),
    ]
    if added > script.at_most:
        wrong.append(f"too many: {added} added, at most {script.at_most} wanted")
    counts = ChangeCounts(
        expected=len(script.expect),
        made=len(changes),
        hits=len(pairs),
        targeted=len(targeted),
        targets=sum((expected.event, expected.target) in befallen for expected in targeted),
        dated=len(dated),
        dates=len(dated) - len(misdated),
        forbidden=len(script.forbid) + len(script.secrets),
        stored=len(stored),
        too_many=int(added > script.at_most),
    )
    return counts, wrong


def _pairs(script: Script, changes: Sequence[MemoryChange]) -> dict[int, int]:
    """Pair each expected change with one that was made, by their places.

    As many as possible are paired; of several that fit, one that has the date is preferred.
    """
    fitting = [
        sorted(
            (place for place, change in enumerate(changes) if _fits(script, expected, change)),
            key=lambda place: not _is_dated(expected, changes[place]),
        )
        for expected in script.expect
    ]
    partners: dict[int, int] = {}

    def pair(expected: int, tried: set[int]) -> bool:
        for change in fitting[expected]:
            if change in tried:
                continue
            tried.add(change)
            if change not in partners or pair(partners[change], tried):
                partners[change] = expected
                return True
        return False

    for place in range(len(script.expect)):
        pair(place, set())
    return {expected: change for change, expected in partners.items()}


def _fits(script: Script, expected: Expected, change: MemoryChange) -> bool:
    return (
        expected.event == change.event
        and expected.target in (None, change.target)
        and all(_holds(change.text, regex) for regex in expected.all_of)
        and not (change.is_written and _stays(script, expected))
    )


def _stays(script: Script, expected: Expected) -> bool:
    """Whether the memory should end with its text unchanged."""
    if expected.event != "UPDATE" or expected.target is None:
        return False
    before = script.known[expected.target].text
    return all(_holds(before, regex) for regex in expected.all_of)


def _is_dated(expected: Expected, change: MemoryChange) -> bool:
    if not expected.date or change.memory is None:
        return not expected.date
    times = (change.memory.occurred_at, change.memory.valid_until)
    return any(time.isoformat().startswith(expected.date) for time in times if time)


def _stored(script: Script, changes: Sequence[MemoryChange]) -> Iterator[str]:
    """Yield what must not be stored, and is."""
    memories = [change.memory for change in changes if change.is_written and change.memory]
    for regex in script.forbid:
        if any(_holds(memory.text, regex) for memory in memories):
            yield regex
    for regex in script.secrets:
        if any(_holds(part, regex) for memory in memories for part in _parts(memory)):
            yield regex


def _parts(memory: Memory) -> list[str]:
    relations = [part for each in memory.relations for part in each.model_dump().values()]
    lists = (memory.tags, memory.entities, memory.evidence, relations)
    return [memory.text, memory.reason or "", *(part for each in lists for part in each)]


def _holds(text: str, regex: str) -> bool:
    return re.search(regex, text, re.IGNORECASE) is not None
