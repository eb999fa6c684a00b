"""The one entry: from a question and its candidates to their order and scores."""

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.bm25 import Matches, attainable, bm25, coverage, match
from mem_mcp.ranking.calibration import level
from mem_mcp.ranking.candidates import Candidates, Query, Ranking
from mem_mcp.ranking.constants import (
    GRAPH_SHARE,
    NAMED_SHARE,
    RECENCY_SHARE,
    REMARK_TERMS,
    REPLY_SHARE,
    USEFUL_HERE_SHARE,
    USEFUL_SHARE,
    WHEN_SHARE,
)
from mem_mcp.ranking.conversation_context import SPANS, Neighbours, window, window_cosines
from mem_mcp.ranking.dense import nearness
from mem_mcp.ranking.feedback_boost import Marks, usefulness
from mem_mcp.ranking.fusion import scale_of_meaning, scale_of_words, weight_of_words
from mem_mcp.ranking.name_boosts import (
    about_the_named,
    by_the_speaker,
    entities_named,
    speakers_named,
)
from mem_mcp.ranking.recency import freshness
from mem_mcp.ranking.score_smoothing import by_the_alike
from mem_mcp.ranking.text_analysis import names, terms
from mem_mcp.ranking.times import asks_for_time, tell_time

Column = NDArray[np.float64]
Parts = dict[str, Column]

_DIGITS = 6
_TINY = 1e-9


def rank(query: Query, candidates: Candidates, marks: Marks | None = None) -> Ranking:
    """Order all candidates by how well they answer the query.

    Args:
        query: The question; its vector and the candidates' come from one embedder.
        candidates: Every memory that may be an answer, and their neighbours in their runs.
        marks: What feedback and outcomes say of them.

    Returns:
        The order and the absolute scores. Equal scores stand newest first, then by id, so that the
        candidates' own order does not matter.
    """
    if not len(candidates):
        return Ranking(np.zeros(0, np.int64), np.zeros(0), {})
    named = speakers_named(query.text, candidates.actor_ids)
    asked = terms(query.text, without=frozenset().union(*map(names, named)))
    matches = match(asked, candidates.terms)
    found = nearness(query.vector, candidates.cloud)
    near = candidates.near
    weight = weight_of_words(asked.ids.size, found.typical, found.nearest)
    parts = _by_content(weight, matches, found.centred, near)
    parts["reply"] = _handed_on(_sum(parts), candidates)
    parts["alike"] = by_the_alike(_sum(parts), found.plain, candidates.vectors)
    content = _sum(parts)
    if asks_for_time(query.text):
        parts["time"] = WHEN_SHARE * content * tell_time(candidates.terms)
    about = about_the_named(entities_named(query.text, candidates.entities), candidates.entities)
    meant = np.maximum(by_the_speaker(named, candidates.actor_ids), about)
    fresh = freshness(candidates.occurred_at, query.now, candidates.kinds)
    parts["recency"] = RECENCY_SHARE * np.maximum(content, 0.0) * fresh
    parts["people"] = NAMED_SHARE * content.max() * meant
    parts["graph"] = GRAPH_SHARE * max(float(content.max()), 0.0) * _linked(query, candidates)
    # The best candidate has this score, unless marks move it.
    scale = level(found.plain, coverage(matches)) / max(float(_sum(parts).max()), _TINY)
    if marks is not None and marks.rows.size:
        general, here = usefulness(marks, len(candidates), query.vector)
        share = {
            "useful": USEFUL_SHARE * np.maximum(content, 0.0) * general,
            "useful_here": USEFUL_HERE_SHARE * content.max() * here,
        }
        parts |= _bounded(share, _sum(parts), scale)
    return _absolute(parts, scale, candidates)


def _by_content(weight: float, matches: Matches, cosines: Column, near: Neighbours) -> Parts:
    """Mix words and meaning over the message itself and over its windows, all alike."""
    best = attainable(matches)
    words = scale_of_words(bm25(matches), best)
    meaning = scale_of_meaning(cosines, words)
    mixes = [weight * words + meaning]
    known = np.nan_to_num(cosines)
    for span in SPANS if any(side.weight.any() for side in near.values()) else ():
        said = scale_of_words(bm25(_widened(matches, span, near)), best)
        meant = np.where(np.isnan(cosines), np.nan, window_cosines(known, span, near))
        mixes.append(weight * said + scale_of_meaning(meant, said))
    return {
        "words": weight * words,
        "meaning": meaning,
        "context": np.mean(mixes, axis=0) - mixes[0],
    }


def _linked(query: Query, candidates: Candidates) -> Column:
    graph = candidates.graph
    return np.zeros(len(candidates)) if graph is None else graph.nearness(query.text)


def _widened(matches: Matches, span: tuple[int, ...], near: Neighbours) -> Matches:
    counts, lengths = (window(each, span, near) for each in (matches.counts, matches.lengths))
    return Matches(counts, lengths, matches.weights, matches.absent)


def _handed_on(scores: Column, candidates: Candidates) -> Column:
    """Return what each message of a conversation gives and gets.

    A question hands on to its reply, since who asks the same does not answer it; and a remark of
    few words owes its score to its context.
    """
    near = candidates.near
    given = REPLY_SHARE * scores * candidates.asks
    left = scores - given * near[1].weight
    talk = np.maximum(near[-1].weight, near[1].weight)
    kept = left * (1 - talk * REMARK_TERMS / (REMARK_TERMS + candidates.terms.lengths))
    return np.asarray(kept + near[-1].of(given) - scores)


def _bounded(share: Parts, without: Column, scale: float) -> Parts:
    """Cut what marks give to what a score of 0..1 has room for, so that its parts add up to it."""
    moved = _sum(share)
    room = np.clip((without + moved) * scale, 0.0, 1.0) / max(scale, _TINY) - without
    part = np.divide(room, moved, out=np.zeros_like(moved), where=np.abs(moved) > _TINY)
    return {name: column * np.clip(part, 0.0, 1.0) for name, column in share.items()}


def _absolute(parts: Parts, scale: float, candidates: Candidates) -> Ranking:
    total = _sum(parts)
    score = np.clip(total * scale, 0.0, 1.0).round(_DIGITS)
    newest = candidates.newest_first
    order = newest[np.argsort(-score[newest], kind="stable")]
    return Ranking(order, score, {name: part * scale for name, part in parts.items()})


def _sum(parts: Parts) -> Column:
    return np.asarray(np.sum(list(parts.values()), axis=0))
