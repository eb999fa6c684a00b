"""Lexical scores: BM25, with the candidates as the collection."""

from typing import NamedTuple

import numpy as np

from mem_mcp.ranking.arrays import Booleans, Floats, Integers
from mem_mcp.ranking.constants import BM25_B, BM25_K1, EPSILON, EXACT_SHARE, QUERY_TERMS_MAX
from mem_mcp.ranking.text_analysis import Terms, TermTable, is_exact


class Matches(NamedTuple):
    """How often each of the query's q terms occurs in each of n texts."""

    counts: Floats
    """(n, q) occurrences; fractions where neighbouring messages count in part."""
    lengths: Floats
    """(n,) terms of each text."""
    shares: Floats | None
    """(n,) what each text counts for in the statistics, as a passage for its share of a text; None
    for 1."""
    weights: Floats
    """(q,) occurrences of each term in the query; an exact form counts `EXACT_SHARE`."""
    exact: Booleans
    """(q,) whether a term is the exact form of a word, beside its stem."""
    absent: int
    """Distinct stems of the query that no text contains."""
    known: float
    """Share of the query's distinct stems that some text contains, 0..1."""


def match(query: Terms, texts: TermTable, shares: Floats | None = None) -> Matches:
    """Count the query's terms in each text.

    The cost grows with the places where they occur; of a very long query only the
    `QUERY_TERMS_MAX` terms of the greatest weight are kept.

    Args:
        query: Its terms.
        texts: Theirs.
        shares: (n,) what each text counts for in the statistics; None for 1.
    """
    exact = is_exact(query.ids)
    weights = np.where(exact, EXACT_SHARE, 1.0) * query.counts
    size = texts.lengths.size
    places, column = texts.places(query.ids)
    counted = None if shares is None else shares[texts.rows[places]]
    frequency = np.bincount(column, counted, minlength=query.ids.size)
    kept = _weightiest(frequency, weights, size if shares is None else float(shares.sum()))
    place = np.full(query.ids.size, -1)
    place[kept] = np.arange(kept.size)
    inside = place[column] >= 0
    counts = np.zeros((size, kept.size))
    counts[texts.rows[places[inside]], place[column[inside]]] = texts.counts[places[inside]]
    stems = int((~exact).sum())
    absent = int(((frequency == 0) & ~exact).sum())
    known = (stems - absent) / max(stems, 1)
    return Matches(counts, texts.lengths, shares, weights[kept], exact[kept], absent, known)


def bm25(matches: Matches) -> Floats:
    """Return (n,) BM25 scores, at least 0 and unbounded.

    The formula of Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and
    Beyond", with an idf that is never negative and the query's own term counts as weights.
    """
    mean = _mean_length(matches)
    relative = matches.lengths / mean if mean > 0 else matches.lengths
    saturation = BM25_K1 * (1 - BM25_B + BM25_B * relative)[:, None]
    saturated = matches.counts * (BM25_K1 + 1) / (matches.counts + saturation)
    return np.asarray(saturated @ (matches.weights * term_idf(matches)))


def attainable(matches: Matches) -> float:
    """Return the limit of the score of a text that repeats the whole query again and again."""
    return float((BM25_K1 + 1) * (matches.weights @ term_idf(matches) + _absent_idf(matches)))


def coverage(matches: Matches) -> Floats:
    """Return (n,) the share of the query's stems, by idf, that each text contains: 0..1."""
    by_stem = np.where(matches.exact, 0.0, term_idf(matches))
    total = by_stem.sum() + _absent_idf(matches)
    return np.asarray((matches.counts > 0) @ by_stem / max(total, EPSILON))


def term_idf(matches: Matches) -> Floats:
    """Return (q,) the inverse document frequency of each term, at least 0."""
    occurs = matches.counts > 0
    frequency = occurs.sum(axis=0) if matches.shares is None else matches.shares @ occurs
    return idf(frequency, _texts(matches))


def _absent_idf(matches: Matches) -> float:
    """Return the sum of the idf of the query's terms that no text contains."""
    return float(matches.absent * idf(np.zeros(1), _texts(matches))[0])


def _texts(matches: Matches) -> float:
    """Return how many texts there are, with passages counted for their shares."""
    return len(matches.counts) if matches.shares is None else float(matches.shares.sum())


def _mean_length(matches: Matches) -> float:
    if not matches.lengths.size:
        return 0.0
    return float(np.average(matches.lengths, weights=matches.shares))


def idf(frequency: Floats | Integers, texts: float) -> Floats:
    """Return the idf, above 0, of terms that occur in `frequency` of so many texts."""
    return np.asarray(np.log1p((texts - frequency + 0.5) / (frequency + 0.5)))


def _weightiest(frequency: Floats | Integers, weights: Floats, texts: float) -> Integers:
    """Return the query's terms that some text contains, at most QUERY_TERMS_MAX of them."""
    present = np.flatnonzero(frequency)
    if present.size <= QUERY_TERMS_MAX:
        return present
    weight = weights[present] * idf(frequency[present], texts)
    return np.sort(present[np.argsort(-weight, kind="stable")[:QUERY_TERMS_MAX]])
