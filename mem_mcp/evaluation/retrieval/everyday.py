"""The suite of everyday stores: is the right note the first answer?

Each group of notes has a memory of its own, and its clock stands still at the group's `now`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from mem_mcp.config import Settings, load_settings
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.everyday import (
    EverydayGroup,
    EverydayKind,
    EverydayMemory,
    Half,
    files_of,
    load_kinds,
)
from mem_mcp.evaluation.harness import (
    Progress,
    check_options,
    described,
    shown_by_default,
    temporary_memory,
)
from mem_mcp.evaluation.metrics import left_out_note, measure, ranks_of
from mem_mcp.evaluation.report import (
    Column,
    Report,
    Row,
    Table,
    by_category,
    provenance,
    sha256,
    table,
)
from mem_mcp.memory import AsyncMemory
from mem_mcp.times import clock_held_at

LIMIT = 10
"""Memories that each recall asks for."""
HALVES: Sequence[Half] = get_args(Half)
_EXAMPLE = "tests/data/everyday"
"""In the source tree; the package has no everyday stores."""
_STORED_BEFORE = timedelta(minutes=2)
_ENDED_BEFORE = timedelta(minutes=1)


class EverydayQuestion(Row):
    """One question; a failed one found nothing."""

    kind: str
    group: str
    half: Half
    language: str
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, of the memories that answer it."""
    shown: int = LIMIT
    """How many of the first ten are left where no min_score is given."""
    first: str = ""
    """The beginning of the first answer, where that is wrong."""


class EverydayReport(Report):
    """How often the right note comes first, by kind, half and language."""

    rows: Sequence[EverydayQuestion]

    def figure(self, metric: str, half: Half, kind: str = "") -> float | None:
        """Return a metric in percent; None where the half has no question of the kind.

        Args:
            metric: hit@k or MRR.
            half: of the groups.
            kind: of question; empty for all.
        """
        return _figure(metric, half, [row for row in self.rows if kind in ("", row.kind)])

    def _tables(self) -> list[Table]:
        return [
            self._figures("kind", lambda row: row.kind),
            self._figures("language", lambda row: row.language),
        ]

    def _figures(self, title: str, category: Callable[[EverydayQuestion], str]) -> Table:
        categories = by_category(self.rows, category)
        halves = sorted({row.half for row in self.rows})
        columns = [column for half in halves for column in _columns(half)]
        return table(title, [*categories.items(), ("all", self.rows)], columns)

    def _legend(self) -> Iterator[str]:
        yield "choose: groups that the ranking's constants may be chosen on; measure: the others"
        for half in HALVES:
            rows = [(row.ranks, row.shown, 1) for row in self.rows if row.half == half]
            if rows:
                yield f"{half}: {left_out_note(rows)}"


def _columns(half: Half) -> Iterator[Column[Sequence[EverydayQuestion]]]:
    yield Column(half, lambda rows: sum(row.half == half for row in rows))
    for metric in ("hit@1", "hit@3", "MRR"):
        yield Column(metric, _metric(metric, half), ".1f", missing="-")


def _metric(metric: str, half: Half) -> Callable[[Sequence[EverydayQuestion]], float | None]:
    return lambda rows: _figure(metric, half, rows)


def _figure(metric: str, half: Half, rows: Sequence[EverydayQuestion]) -> float | None:
    values = [100 * measure(metric, row.ranks, 1) for row in rows if row.half == half]
    return fmean(values) if values else None


@dataclass(frozen=True, slots=True)
class _Work:
    """A group to run."""

    kind: EverydayKind
    group: EverydayGroup


async def run_everyday(
    data: Path | None,
    half: str = "",
    *,
    seed: int = 0,
    first: int | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> EverydayReport:
    """Store each group of notes in a memory of its own, and ask its questions.

    Args:
        data: a folder of kinds, or the file of one; see `datasets.everyday`.
        half: choose or measure; empty for both.
        seed: for the report; nothing is drawn.
        first: only so many groups of each kind and half.
        settings: of the memory, but for its time zone (UTC) and the place of its store; None reads
            them as usual.
        progress: is called after each group.

    Raises:
        InvalidInput: the data is not named or cannot be used, or there is no such half.
    """
    if data is None:
        raise InvalidInput("data", f"name a folder of everyday stores, such as {_EXAMPLE}")
    if half and half not in HALVES:
        raise InvalidInput("half", f"{half!r} is not one of {', '.join(HALVES)}")
    check_options(seed, first)
    kinds = load_kinds(data)
    work = [
        _Work(kind, group)
        for kind in kinds
        for each in ([half] if half else HALVES)
        for group in [group for group in kind.groups if group.half == each][:first]
    ]
    settings = (settings or load_settings()).model_copy(update={"time_zone": "UTC"})
    rows: list[EverydayQuestion] = []
    with closing(BundledEmbedder()) as embedder:
        # It stays loaded, so that each further memory has it at once.
        if settings.embedding.bundled:
            embedder.load()
        for done, each in enumerate(work, start=1):
            rows += [row async for row in _answered(each, settings)]
            progress(done, len(work))
    memories = sum(len(store.memories) for each in work for store in each.kind.store(each.group))
    ran = provenance("everyday", seed, settings, None, memories=memories)
    source = {"file": data.name, "sha256": sha256(*files_of(data))}
    return EverydayReport(**ran | {"data": ran["data"].model_copy(update=source)}, rows=rows)


async def _answered(work: _Work, settings: Settings) -> AsyncIterator[EverydayQuestion]:
    kind, group = work.kind, work.group
    async with temporary_memory(settings) as memory:
        names: dict[str, str] = {}
        for store in kind.store(group):
            names = await _store(memory, store, f"{kind.name}: {store.name}")
        with clock_held_at(group.now):
            for question, right in group.questions.items():
                ids = {names[name] for name in right}
                row = EverydayQuestion(
                    case=question,
                    kind=kind.name,
                    group=group.name,
                    half=group.half,
                    language=group.language,
                )
                yield row.model_copy(update=await _ask(memory, question, ids, settings))


async def _ask(
    memory: AsyncMemory, question: str, right: set[str], settings: Settings
) -> Mapping[str, Any]:
    """Return the fields of a row that the answer decides."""
    try:
        result = await memory.recall(question, limit=LIMIT, min_score=0, explain=True)
    except Exception as error:  # noqa: BLE001 - whatever a question breaks is a result
        return {"error": described(error)}
    ranks = tuple(ranks_of((each.memory_id for each in result.memories), right))
    wrong = "" if 1 in ranks else next((each.text for each in result.memories), "nothing")
    shown = shown_by_default(result.memories, settings)
    return {"ranks": ranks, "shown": shown, "first": wrong[:200]}


async def _store(memory: AsyncMemory, group: EverydayGroup, where: str) -> dict[str, str]:
    """Store a group's memories; return their ids by name."""
    dates = group.occurred_at()
    texts = {name: each for name, each in group.memories.items() if each.text}
    outcomes = {name: each for name, each in group.memories.items() if each.task}
    calls = [_arguments(each, dates[name]) for name, each in texts.items()]
    try:
        with clock_held_at(group.now - _STORED_BEFORE):
            stored = (await memory.remember_many(calls)).results if calls else []
            ids = {name: each.memory_id for name, each in zip(texts, stored, strict=True)}
            for name, each in outcomes.items():
                done = await memory.record_outcome(**_arguments(each, dates[name]))
                ids[name] = done.memory_id
        with clock_held_at(group.now - _ENDED_BEFORE):
            for name, each in group.memories.items():
                if each.valid_until:
                    await memory.update_memory(ids[name], valid_until=each.valid_until)
    except InvalidInput as error:
        raise InvalidInput("data", f"{where} cannot be stored: {error}") from error
    return ids


def _arguments(memory: EverydayMemory, occurred_at: str) -> dict[str, Any]:
    """Return the arguments of `remember` or of `record_outcome`."""
    given = memory.model_dump(exclude_defaults=True, exclude={"valid_until", "text"})
    text = {"content": memory.text} if memory.text else {}
    return {**given, **text, "occurred_at": occurred_at}
