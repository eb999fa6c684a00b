"""From a query and its candidates to their order and scores."""

from collections.abc import Sequence

import numpy as np

from mem_mcp.dates import Period, periods_in
from mem_mcp.ranking.arrays import Floats, Integers
from mem_mcp.ranking.bm25 import Matches, attainable, bm25, coverage, match
from mem_mcp.ranking.candidates import Candidates, Query, Ranking
from mem_mcp.ranking.constants import (
    EPSILON,
    GRAPH_BOOST,
    NAME_BOOST,
    ORDER_BOOST,
    OVER_LOSS,
    PERIOD_BOOST,
    PERIOD_BOOST_ALONE,
    PERIOD_LEVEL,
    PERIOD_READ,
    RECENCY_BOOST,
    RECORD_LOSS,
    REPLY_SHARE,
    RERANK_WEIGHT,
    SECOND_LOOK_BOOST,
    SHORT_MESSAGE_TERMS,
    TIME_BOOST,
)
from mem_mcp.ranking.conversation_context import WINDOWS, Neighbours, window, window_cosines
from mem_mcp.ranking.dense import dense_scores
from mem_mcp.ranking.feedback_boost import FeedbackSignals, feedback_boosts
from mem_mcp.ranking.fusion import (
    Weights,
    absolute_level,
    scaled_dense,
    scaled_lexical,
    weights,
)
from mem_mcp.ranking.name_boosts import (
    about_named_entity,
    by_named_speaker,
    named_entities,
    named_speakers,
)
from mem_mcp.ranking.passage_vectors import with_nearest_passages
from mem_mcp.ranking.score_smoothing import smoothing
from mem_mcp.ranking.second_look import led_to
from mem_mcp.ranking.temporal import (
    asks_elsewhere,
    asks_for_past,
    asks_for_time,
    day_of,
    fits_periods,
    is_over,
    mentions_time,
    names_time,
    recency,
)
from mem_mcp.ranking.text_analysis import Terms, name_words, terms
from mem_mcp.ranking.time_order import asked_order, ranked_in_time

Parts = dict[str, Floats]

_RECORDS = {"outcome", "lesson"}
_DIGITS = 6
_LOGIT_MAX = 50  # keeps exp() from overflowing
_LOGISTIC_OF_0 = 0.5


def rank(query: Query, candidates: Candidates, signals: FeedbackSignals | None = None) -> Ranking:
    """Order all candidates by how well they answer the query.

    Args:
        query: The question.
        candidates: All memories that may answer it, and their neighbours in conversations.
        signals: Feedback on the candidates.

    Returns:
        The order, and absolute scores. Equal scores are ordered newest first, then by id: the
        order of the candidates does not matter.
    """
    if not len(candidates):
        return Ranking(np.zeros(0, np.int64), np.zeros(0), {})
    speakers = named_speakers(query.text, candidates.actor_ids)
    without = frozenset().union(*map(name_words, speakers))
    query_terms = terms(query.text, candidates.language, without, asked=True)
    texts = candidates.wholes if query.is_text else candidates.passages
    matches = match(query_terms, texts.terms, texts.shares)
    dense = with_nearest_passages(
        dense_scores(query.vector, texts.vector_set, matches.known),
        query.vector,
        query.head,
        candidates.vector_set,
        candidates.passage_vectors,
        matches.known,
        texts.owner,
    )
    by_words = bm25(matches)
    weight = weights(query_terms.words, dense, by_words, matches.known)
    parts = _content(weight, matches, by_words, dense.centred, texts.neighbours)
    found = texts.best(_sum(parts))
    parts = {name: part[found] for name, part in parts.items()}
    parts["reply"] = _reply_transfer(_sum(parts), candidates)
    alike = smoothing(_sum(parts), dense.cosines[found], candidates.vectors)
    parts["alike"] = weight.dense * alike
    content = _sum(parts)
    best, positive = content.max(), np.maximum(content, 0.0)
    periods: Sequence[Period] = ()
    if not query.is_text:
        periods = periods_in(query.text, day_of(query.now, query.zone))
        parts |= _time_parts(query, candidates, content, periods, has_words=bool(by_words.any()))
    if not set(candidates.kinds) <= _RECORDS:
        is_record = np.array([kind == "outcome" for kind in candidates.kinds])
        parts["record"] = -RECORD_LOSS * positive * is_record
    entities = named_entities(query.text, candidates.entities)
    named = np.maximum(
        by_named_speaker(speakers, candidates.actor_ids),
        about_named_entity(entities, candidates.entities),
    )
    recent = recency(candidates.occurred_at, query.now, candidates.kinds)
    parts["recency"] = RECENCY_BOOST * positive * recent
    parts["people"] = NAME_BOOST * best * named
    parts["graph"] = max(float(best), 0.0) * _connection(query, candidates, content, query_terms)
    # The best candidate gets the absolute level as its score, unless feedback moves it.
    level = absolute_level(dense.cosines, coverage(matches))
    if best <= EPSILON and "period" in parts:
        level = max(level, PERIOD_LEVEL)
    scale = level / max(float(_sum(parts).max()), EPSILON)
    over = is_over(candidates.ends_at, query.now, periods, query.zone)
    if over.any() and not asks_for_past(query.text):
        parts["over"] = -OVER_LOSS * np.maximum(_sum(parts), 0.0) * over
    if signals is not None and signals.rows.size:
        similarity = signals.similarity(query.text, query.vector)
        boosts = feedback_boosts(signals, similarity, candidates.vector_set, content)
        parts |= _within_range(boosts, _sum(parts), scale)
    total = _sum(parts)
    score = np.clip(total * scale, 0.0, 1.0).round(_DIGITS)
    order = _best_first(score, candidates.newest_first)
    return Ranking(order, score, {name: part * scale for name, part in parts.items()})


def reranked(ranking: Ranking, rows: Sequence[int], relevance: Sequence[float]) -> Ranking:
    """Mix a reranking model's relevance into the scores.

    Args:
        ranking: Ours.
        rows: The candidates that the model read; the others count as irrelevant.
        relevance: Of each of these, higher is better. Unless all are in 0..1 they are logits. Where
            all logits are negative the model finds nothing relevant for certain: their distances
            from the best one count, and the best gets our own best score, at most a half.

    Returns:
        Scores in 0..1; equal ones keep their order.
    """
    fraction = np.zeros(ranking.score.size)
    ours = ranking.score[list(rows)].max(initial=0.0)
    fraction[list(rows)] = _fractions(np.asarray(relevance, np.float64), ours)
    score = np.round((1 - RERANK_WEIGHT) * ranking.score + RERANK_WEIGHT * fraction, _DIGITS)
    parts = {name: (1 - RERANK_WEIGHT) * part for name, part in ranking.parts.items()}
    parts["rerank"] = RERANK_WEIGHT * fraction
    return Ranking(_best_first(score, ranking.order), score, parts, ranking.later)


def _content(
    weight: Weights, matches: Matches, by_words: Floats, cosines: Floats, neighbours: Neighbours
) -> Parts:
    """Mix lexical and dense scores; the context part averages over the message and its windows."""
    best = attainable(matches)
    lexical = scaled_lexical(by_words, best)
    dense = scaled_dense(cosines, lexical)
    mixes = [weight.lexical * lexical + weight.dense * dense]
    filled = np.nan_to_num(cosines)
    has_context = any(neighbour.weight.any() for neighbour in neighbours.values())
    for distances in WINDOWS if has_context else ():
        counts, lengths = (
            window(values, distances, neighbours) for values in (matches.counts, matches.lengths)
        )
        widened = matches._replace(counts=counts, lengths=lengths)
        near_lexical = scaled_lexical(bm25(widened), best)
        near_cosines = window_cosines(filled, distances, neighbours)
        near_dense = scaled_dense(np.where(np.isnan(cosines), np.nan, near_cosines), near_lexical)
        mixes.append(weight.lexical * near_lexical + weight.dense * near_dense)
    return {
        "words": weight.lexical * lexical,
        "meaning": weight.dense * dense,
        "context": np.mean(mixes, axis=0) - mixes[0],
    }


def _time_parts(
    query: Query,
    candidates: Candidates,
    content: Floats,
    periods: Sequence[Period],
    *,
    has_words: bool,
) -> Parts:
    """Return what memories gain that name a time, are of a time, or are the latest or first.

    Args:
        query: the question.
        candidates: the memories.
        content: (n,) how well they match.
        periods: the times that the question names.
        has_words: whether some memory has a word of it.
    """
    parts: Parts = {}
    zone, best = query.zone, max(float(content.max()), 0.0)

    def best_rows() -> Integers:
        return _best_first(content, candidates.newest_first)[:PERIOD_READ]

    if asks_for_time(query.text):
        parts["time"] = TIME_BOOST * content * mentions_time(candidates.terms)
    elif asks_elsewhere(query.text):
        named = names_time(candidates.texts, candidates.occurred_at, best_rows(), zone)
        parts["time"] = TIME_BOOST * content * named
    if periods:
        times, texts = candidates.occurred_at, candidates.texts
        fits = fits_periods(periods, times, texts, best_rows(), zone)
        share = PERIOD_BOOST if has_words else PERIOD_BOOST_ALONE
        parts["period"] = share * (best if best > EPSILON else 1.0) * fits
    if towards := asked_order(query.text):
        is_said = np.array([kind == "message" for kind in candidates.kinds])
        matching = np.where(is_said, 0.0, content)
        places = ranked_in_time(matching, candidates.occurred_at, towards)
        parts["order"] = ORDER_BOOST * best * places
    return parts


def _reply_transfer(scores: Floats, candidates: Candidates) -> Floats:
    """Return what each message of a conversation gains and loses.

    A question transfers a share to its reply, since the repeated question does not answer the
    query. A message of few words loses most of its score, which it owes to its context.
    """
    before, after = candidates.neighbours[-1], candidates.neighbours[1]
    transfer = REPLY_SHARE * scores * candidates.is_question
    rest = scores - transfer * after.weight
    in_conversation = np.maximum(before.weight, after.weight)
    lengths = candidates.terms.lengths
    lost = in_conversation * SHORT_MESSAGE_TERMS / (SHORT_MESSAGE_TERMS + lengths)
    kept = rest * (1 - lost)
    return np.asarray(kept + before.of(transfer) - scores)


def _connection(query: Query, candidates: Candidates, content: Floats, asked: Terms) -> Floats:
    graph = candidates.graph
    if graph is None:
        return np.zeros(len(candidates))
    matches = match(asked, candidates.terms)
    led = SECOND_LOOK_BOOST * led_to(query.text, content, matches, graph)
    return np.maximum(GRAPH_BOOST * graph.nearness(query.text), led)


def _within_range(boosts: Parts, scores: Floats, scale: float) -> Parts:
    """Shorten boosts so that the scores with them stay in 0..1 and the parts still add up."""
    boost = _sum(boosts)
    room = np.clip((scores + boost) * scale, 0.0, 1.0) / max(scale, EPSILON) - scores
    share = np.divide(room, boost, out=np.zeros_like(boost), where=np.abs(boost) > EPSILON)
    return {name: column * np.clip(share, 0.0, 1.0) for name, column in boosts.items()}


def _best_first(score: Floats, rows: Integers) -> Integers:
    """Sort rows by score; those with equal scores keep their order."""
    return rows[np.argsort(-score[rows], kind="stable")]


def _fractions(relevance: Floats, ours: float) -> Floats:
    """Return relevances in 0..1; `ours` is the best of our own scores of the same candidates."""
    if ((relevance >= 0) & (relevance <= 1)).all():
        return relevance
    best = relevance.max()
    if best >= 0:
        return _logistic(relevance)
    # Their own values would all be near 0, and so would the differences that make an order.
    level = max(float(_logistic(best)), min(ours, _LOGISTIC_OF_0))
    return np.asarray(level / (1 + best - relevance))


def _logistic(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -_LOGIT_MAX, _LOGIT_MAX))))


def _sum(parts: Parts) -> Floats:
    return np.asarray(np.sum(list(parts.values()), axis=0))
