"""A second look: from what answers one part of a question to what answers the rest."""

from __future__ import annotations

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers
from mem_mcp.ranking.bm25 import Matches, term_idf
from mem_mcp.ranking.constants import EPSILON
from mem_mcp.ranking.entity_graph import EntityGraph

_STARTS = 3
"""Best memories that are looked on from."""
_LEAST_START = 0.7
"""Of the best content score that each of them has."""
_MOST_MENTIONS = 8
"""Memories that mention an entity which leads from one to the other in full; of more each less."""


def led_to(question: str, content: Floats, matches: Matches, graph: EntityGraph) -> Floats:
    """Return how well each memory says the rest of a question, 0..1.

    "The boss of the person who wrote the report": one memory says who wrote it, and by the name in
    it the one is found that says who the boss is. What leads from one to the other is an entity
    that both mention and the question does not name; the rest is what words of the question the
    first one lacks.

    Args:
        question: what is asked.
        content: (n,) content scores.
        matches: of the question's words.
        graph: of the entities that the memories mention.
    """
    led = np.zeros(content.size)
    best = float(content.max(initial=0.0))
    if best <= 0:
        return led
    named = graph.numbers(question)
    idf = np.where(matches.exact, 0.0, term_idf(matches)) * matches.counts.any(axis=0)
    mentions = np.bincount(graph.entities, minlength=len(graph.ids))
    passes_on = np.minimum(1.0, _MOST_MENTIONS / np.maximum(mentions, 1))
    passes_on[named] = 0.0
    passes_on[mentions == graph.size] = 0.0  # what all mention says nothing
    for start in np.argsort(-content, kind="stable")[:_STARTS].tolist():
        if content[start] < _LEAST_START * best:
            break
        lacks = matches.counts[start] == 0
        rest = idf * lacks
        if not (idf * ~lacks).any():
            continue
        reach = np.zeros(len(graph.ids))
        here = _entities_of(graph, start)
        reach[here] = passes_on[here]
        near = np.zeros(content.size)
        np.maximum.at(near, graph.rows, reach[graph.entities])
        near[start] = 0.0
        says = (matches.counts > 0) @ rest / max(float(rest.sum()), EPSILON)
        led = np.maximum(led, near * says * content[start] / best)
    return led


def _entities_of(graph: EntityGraph, row: int) -> Integers:
    return np.asarray(graph.entities[graph.rows == row])
