"""Words: BM25 over the candidates alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import BM25_B, BM25_K1, QUERY_TERMS
from mem_mcp.ranking.text_analysis import Terms, TermTable

_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Matches:
    """How often each of a query's terms occurs in each text."""

    counts: NDArray[np.float64]
    """(n, q) occurrences; a text's window may count in fractions."""
    lengths: NDArray[np.float64]
    """(n,) terms of each text."""
    weights: NDArray[np.float64]
    """(q,) occurrences of each term in the query."""
    absent: int
    """Distinct terms of the query that no text has."""


def match(query: Terms, texts: TermTable) -> Matches:
    """Count the terms of `query` in each of `texts`.

    The cost is one pass over the texts' distinct terms, whatever the length of the query; of a very
    long query only the `QUERY_TERMS` that weigh most are kept.
    """
    order = np.argsort(query.ids)
    wanted, weights = query.ids[order], query.counts[order]
    size = texts.lengths.size
    if not size or not wanted.size:
        return Matches(np.zeros((size, 0)), texts.lengths, np.zeros(0), wanted.size)
    column = np.minimum(np.searchsorted(wanted, texts.ids), wanted.size - 1)
    hit = np.flatnonzero(wanted[column] == texts.ids)
    row, column = texts.rows[hit], column[hit]
    found_in = np.bincount(column, minlength=wanted.size)
    kept = _weightiest(found_in, weights, size)
    place = np.full(wanted.size, -1)
    place[kept] = np.arange(kept.size)
    inside = place[column] >= 0
    counts = np.zeros((size, kept.size))
    counts[row[inside], place[column[inside]]] = texts.counts[hit[inside]]
    return Matches(counts, texts.lengths, weights[kept], int((found_in == 0).sum()))


def bm25(matches: Matches) -> NDArray[np.float64]:
    """Return the BM25 score of each text, at least 0 and unbounded.

    The formula of Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and
    Beyond", with the idf that cannot be negative and with the query's own term counts as weights.
    """
    mean = matches.lengths.mean() if matches.lengths.size else 0.0
    relative = matches.lengths / mean if mean > 0 else matches.lengths
    slack = BM25_K1 * (1 - BM25_B + BM25_B * relative)[:, None]
    saturated = matches.counts * (BM25_K1 + 1) / (matches.counts + slack)
    return np.asarray(saturated @ (matches.weights * rarity(matches)))


def rarity(matches: Matches) -> NDArray[np.float64]:
    """Return the idf of each query term among these texts, above 0."""
    return _idf((matches.counts > 0).sum(axis=0), len(matches.counts))


def attainable(matches: Matches) -> float:
    """Return the score of a text that says the whole query over and over."""
    absent = matches.absent * _idf(np.zeros(1, np.int64), len(matches.counts))[0]
    return float((BM25_K1 + 1) * (matches.weights @ rarity(matches) + absent))


def coverage(matches: Matches) -> NDArray[np.float64]:
    """Return the share of the query's terms, by rarity, that each text has: 0..1."""
    rare = rarity(matches)
    absent = matches.absent * _idf(np.zeros(1, np.int64), len(matches.counts))[0]
    return np.asarray((matches.counts > 0) @ rare / max(rare.sum() + absent, _TINY))


def _idf(found_in: NDArray[np.int64], texts: int) -> NDArray[np.float64]:
    return np.asarray(np.log1p((texts - found_in + 0.5) / (found_in + 0.5)))


def _weightiest(
    found_in: NDArray[np.int64], weights: NDArray[np.float64], texts: int
) -> NDArray[np.int64]:
    present = np.flatnonzero(found_in)
    if present.size <= QUERY_TERMS:
        return present
    weight = weights[present] * _idf(found_in[present], texts)
    return np.sort(present[np.argsort(-weight, kind="stable")[:QUERY_TERMS]])
