"""Lexical scores: BM25, with the candidates as the collection."""

from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers
from mem_mcp.ranking.constants import BM25_B, BM25_K1, EPSILON, QUERY_TERMS_MAX
from mem_mcp.ranking.text_analysis import Terms, TermTable


@dataclass(frozen=True, slots=True)
class Matches:
    """How often each of the query's q terms occurs in each of n texts."""

    counts: Floats
    """(n, q) occurrences; fractions where neighbouring messages count in part."""
    lengths: Floats
    """(n,) terms of each text."""
    weights: Floats
    """(q,) occurrences of each term in the query."""
    absent: int
    """Distinct terms of the query that no text contains."""


def match(query: Terms, texts: TermTable) -> Matches:
    """Count the query's terms in each text.

    The cost is one pass over the texts' distinct terms, however long the query is; of a very long
    query only the `QUERY_TERMS_MAX` terms of the greatest weight are kept.
    """
    order = np.argsort(query.ids)
    wanted, weights = query.ids[order], query.counts[order]
    size = texts.lengths.size
    if not size or not wanted.size:
        return Matches(np.zeros((size, 0)), texts.lengths, np.zeros(0), wanted.size)
    column = np.minimum(np.searchsorted(wanted, texts.ids), wanted.size - 1)
    hit = np.flatnonzero(wanted[column] == texts.ids)
    row, column = texts.rows[hit], column[hit]
    frequency = np.bincount(column, minlength=wanted.size)
    kept = _weightiest(frequency, weights, size)
    place = np.full(wanted.size, -1)
    place[kept] = np.arange(kept.size)
    inside = place[column] >= 0
    counts = np.zeros((size, kept.size))
    counts[row[inside], place[column[inside]]] = texts.counts[hit[inside]]
    return Matches(counts, texts.lengths, weights[kept], int((frequency == 0).sum()))


def bm25(matches: Matches) -> Floats:
    """Return (n,) BM25 scores, at least 0 and unbounded.

    The formula of Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and
    Beyond", with an idf that is never negative and the query's own term counts as weights.
    """
    mean = matches.lengths.mean() if matches.lengths.size else 0.0
    relative = matches.lengths / mean if mean > 0 else matches.lengths
    saturation = BM25_K1 * (1 - BM25_B + BM25_B * relative)[:, None]
    saturated = matches.counts * (BM25_K1 + 1) / (matches.counts + saturation)
    return np.asarray(saturated @ (matches.weights * _term_idf(matches)))


def attainable(matches: Matches) -> float:
    """Return the limit of the score of a text that repeats the whole query again and again."""
    return float((BM25_K1 + 1) * (matches.weights @ _term_idf(matches) + _absent_idf(matches)))


def coverage(matches: Matches) -> Floats:
    """Return (n,) the share of the query's terms, by idf, that each text contains: 0..1."""
    idf = _term_idf(matches)
    total = idf.sum() + _absent_idf(matches)
    return np.asarray((matches.counts > 0) @ idf / max(total, EPSILON))


def _term_idf(matches: Matches) -> Floats:
    return _idf((matches.counts > 0).sum(axis=0), len(matches.counts))


def _absent_idf(matches: Matches) -> float:
    """Return the sum of the idf of the query's terms that no text contains."""
    return float(matches.absent * _idf(np.zeros(1, np.int64), len(matches.counts))[0])


def _idf(frequency: Integers, texts: int) -> Floats:
    """Return the idf, above 0, of terms that occur in `frequency` of so many texts."""
    return np.asarray(np.log1p((texts - frequency + 0.5) / (frequency + 0.5)))


def _weightiest(frequency: Integers, weights: Floats, texts: int) -> Integers:
    """Return the query's terms that some text contains, at most QUERY_TERMS_MAX of them."""
    present = np.flatnonzero(frequency)
    if present.size <= QUERY_TERMS_MAX:
        return present
    weight = weights[present] * _idf(frequency[present], texts)
    return np.sort(present[np.argsort(-weight, kind="stable")[:QUERY_TERMS_MAX]])
