"""Recall within each language and across, off topic, and with an embedder that knows nothing.

A question is off topic among the paragraphs of the other articles.
"""

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
from mem_mcp.evaluation.datasets.xquad import ARTICLE, ENGLISH
from mem_mcp.evaluation.harness import Bench, RecallAnswer, memory_with, temporary_settings
from mem_mcp.evaluation.metrics import auc, interval, left_out_note, ranks_of
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
    shown: int = LIMIT
    """How many of the first ten are left where no min_score is given."""
    ranks: dict[str, int | None]
    """By ranking: the rank, from 1, of the paragraph that answers; None if it was not found."""
    score: float = 0.0
    """The best score; 0 where nothing came back."""
    off_topic_score: float | None = None
    """The same among the paragraphs of the other articles; None across languages."""


class LanguageFigures(Model):
    """Means over the questions of one pair of languages."""

    cases: int
    hits: dict[str, float]
    """By ranking: questions whose paragraph comes first, in percent."""
    interval: tuple[float, float]
    """95 % bootstrap interval of ours, in percent."""
    off_topic_auc: float | None
    """How well `score` tells a question from the same off topic, 0..1; None across languages."""


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
            "vectors in place of the embedder's; off topic: asked of the other articles"
        )
        ranked = ((row.ranks["ours"], row.shown) for row in self.rows)
        yield left_out_note([([rank] if rank else [], shown, 1) for rank, shown in ranked])


async def languages(bench: Bench) -> LanguagesReport:
    """Ask every question of the memory, and of one whose embedder returns noise."""
    bench.steps += sum(_is_within(case.category) for case in bench.dataset.cases)
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
            off_topic_auc=_off_topic_auc(some),
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
    row = LanguageQuestion(
        case=case.name,
        category=case.category,
        shown=answer.shown,
        ranks=ranks,
        score=_best_score(answer),
        error=answer.error,
    )
    if not _is_within(case.category):
        return row
    articles = {bench.stored[key].metadata[ARTICLE] for key in case.relevant}
    filters = {f"metadata.{ARTICLE}": {"nin": list(articles)}}
    elsewhere = await bench.ask(case, limit=1, filters=filters)
    update = {"off_topic_score": _best_score(elsewhere), "error": row.error or elsewhere.error}
    return row.model_copy(update=update)


async def _ask_noise(bench: Bench, case: Case, row: LanguageQuestion) -> LanguageQuestion:
    answer = await bench.ask(case, limit=LIMIT)
    ranks = {**row.ranks, "noise": min(answer.ranks, default=None)}
    return row.model_copy(update={"ranks": ranks, "error": row.error or answer.error})


def _is_within(category: str) -> bool:
    asked, stored = category.split("-")
    return asked == stored


def _best_score(answer: RecallAnswer) -> float:
    return max((memory.score for memory in answer.memories), default=0.0)


def _off_topic_auc(rows: Sequence[LanguageQuestion]) -> float | None:
    rejected = [row.off_topic_score for row in rows if row.off_topic_score is not None]
    return round(auc([row.score for row in rows], rejected), 4) if rejected else None


def _hits(rows: Sequence[LanguageQuestion], ranking: str) -> list[float]:
    return [100.0 * (row.ranks[ranking] == 1) for row in rows]


def _table(title: str, part: dict[str, LanguageFigures]) -> Table:
    rankings = next(iter(part.values())).hits
    columns: list[Column[LanguageFigures]] = [
        Column("questions", lambda figures: figures.cases, ",.0f"),
        *(Column(name, _hit(name), ".1f") for name in rankings),
        Column("95 % interval", lambda figures: figures.interval, ".1f"),
    ]
    means = [f"{fmean(each.hits[name] for each in part.values()):.1f}" for name in rankings]
    mean = ["mean", "", *means, ""]
    areas = [each.off_topic_auc for each in part.values() if each.off_topic_auc is not None]
    if areas:
        columns.append(Column("off-topic AUC", lambda figures: figures.off_topic_auc, ".3f"))
        mean.append(f"{fmean(areas):.3f}")
    return [*table(title, part.items(), columns), mean]


def _hit(name: str) -> Callable[[LanguageFigures], float]:
    return lambda figures: figures.hits[name]
