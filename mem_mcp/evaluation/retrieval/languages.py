"""Recall within each language and across, also with an embedder that knows nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Model
from mem_mcp.embedding import BundledEmbedder, Role
from mem_mcp.evaluation.baselines import Baselines
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.datasets.xquad import ENGLISH
from mem_mcp.evaluation.harness import Bench, memory_with, temporary_settings
from mem_mcp.evaluation.metrics import interval, ranks_of
from mem_mcp.evaluation.report import Column, Report, Row, Table, by_category, table

LIMIT = 10
"""Memories that each recall asks for."""


class NoiseEmbedder:
    """Gives each text a random direction: a model that knows nothing of any language."""

    identity = "noise"
    dimension = 384

    async def embed(
        self,
        texts: Sequence[str],
        role: Role,  # noqa: ARG002 - a protocol's
    ) -> NDArray[np.float32]:
        """Embed texts; equal texts get equal vectors."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for place, text in enumerate(texts):
            digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
            rows[place] = np.random.default_rng(list(digest)).normal(size=self.dimension)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class LanguageQuestion(Row):
    """One question of one language about paragraphs of one language; a failed one found nothing."""

    category: str
    """The two languages, the question's first, as in "de-en"."""
    ranks: dict[str, int | None]
    """By ranking: the rank, from 1, of the paragraph that answers; None if it was not found."""


class LanguageFigures(Model):
    """Means over the questions of one pair of languages."""

    cases: int
    hits: dict[str, float]
    """By ranking: questions whose paragraph comes first, in percent."""
    interval: tuple[float, float]
    """95 % bootstrap interval of ours, in percent."""


class LanguagesReport(Report):
    """How often recall puts the paragraph first that answers a question."""

    within: dict[str, LanguageFigures]
    """By language."""
    to_english: dict[str, LanguageFigures]
    """Questions of each other language about the English paragraphs."""
    from_english: dict[str, LanguageFigures]
    """English questions about the paragraphs of each other language."""
    rows: Sequence[LanguageQuestion]

    def _tables(self) -> list[Table]:
        parts = {
            "within": self.within,
            "to English": self.to_english,
            "from English": self.from_english,
        }
        return [_table(f"hit@1 {name}", part) for name, part in parts.items() if part]

    def _legend(self) -> Iterator[str]:
        yield (
            "words: BM25 alone; meaning: cosine of the embeddings alone; noise: ours with random "
            "vectors in place of the embedder's"
        )


async def languages(bench: Bench) -> LanguagesReport:
    """Ask every question of the memory, and of one whose embedder returns noise."""
    with closing(BundledEmbedder()) as embedder:
        baselines = Baselines(embedder) if bench.arms else None
        rows = [await _ask(bench, case, baselines) for case in bench.dataset.cases]
    if bench.arms:
        with temporary_settings(bench.settings) as settings:
            async with memory_with(settings, NoiseEmbedder()) as (memory, _):
                steps = bench.steps + bench.dataset.memories
                noise = replace(bench, memory=memory, stored={}, steps=steps)
                await noise.fill()
                rows = [
                    await _ask_noise(noise, case, row)
                    for case, row in zip(bench.dataset.cases, rows, strict=True)
                ]
    groups = by_category(rows, lambda row: row.category)
    pairs = {
        (*name.split("-"),): LanguageFigures(
            cases=len(some),
            hits={ranking: round(fmean(_hits(some, ranking)), 2) for ranking in some[0].ranks},
            interval=interval(_hits(some, "ours"), bench.seed),
        )
        for name, some in groups.items()
    }
    return LanguagesReport(
        **bench.ran,
        rows=rows,
        within={asked: each for (asked, stored), each in pairs.items() if asked == stored},
        to_english={
            asked: each
            for (asked, stored), each in pairs.items()
            if stored == ENGLISH and asked != ENGLISH
        },
        from_english={
            stored: each
            for (asked, stored), each in pairs.items()
            if asked == ENGLISH and stored != ENGLISH
        },
    )


async def _ask(bench: Bench, case: Case, baselines: Baselines | None) -> LanguageQuestion:
    answer = await bench.ask(case, limit=LIMIT)
    ranks = {"ours": min(answer.ranks, default=None)}
    if baselines:
        orders = await baselines.orders(case.arguments["query"], bench.among(case), LIMIT)
        for name, ranking in (("words", "BM25"), ("meaning", "dense")):
            ranks[name] = min(ranks_of(orders[ranking], bench.relevant(case)), default=None)
    return LanguageQuestion(case=case.name, category=case.category, ranks=ranks, error=answer.error)


async def _ask_noise(bench: Bench, case: Case, row: LanguageQuestion) -> LanguageQuestion:
    answer = await bench.ask(case, limit=LIMIT)
    ranks = {**row.ranks, "noise": min(answer.ranks, default=None)}
    return row.model_copy(update={"ranks": ranks, "error": row.error or answer.error})


def _hits(rows: Sequence[LanguageQuestion], ranking: str) -> list[float]:
    return [100.0 * (row.ranks[ranking] == 1) for row in rows]


def _table(title: str, part: dict[str, LanguageFigures]) -> Table:
    rankings = next(iter(part.values())).hits
    columns: list[Column[LanguageFigures]] = [
        Column("questions", lambda figures: figures.cases, ",.0f"),
        *(Column(name, _hit(name), ".1f") for name in rankings),
        Column("95 % interval", lambda figures: figures.interval, ".1f"),
    ]
    lines = table(title, part.items(), columns)
    means = (fmean(each.hits[name] for each in part.values()) for name in rankings)
    return [*lines, ["mean", "", *(f"{value:.1f}" for value in means), ""]]


def _hit(name: str) -> Callable[[LanguageFigures], float]:
    return lambda figures: figures.hits[name]
