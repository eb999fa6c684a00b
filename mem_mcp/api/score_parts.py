"""What the parts of a score mean, for who reads them."""

from __future__ import annotations

from collections.abc import Iterable

LEGEND = {
    "words": "words of the question that the text has, rare ones most",
    "meaning": "likeness in meaning, less what all texts here have in common",
    "context": "what is said before and after in the conversation",
    "reply": "a question gives a share to its reply; a short remark counts less",
    "alike": "how texts like it score",
    "time": "a time is asked for, and the text has one",
    "period": "it is of a time that the question names",
    "order": "the latest or the first is asked for",
    "record": "an outcome among facts of the same words counts less",
    "recency": "how new it is",
    "people": "the question names its speaker or an entity of it",
    "graph": "relations connect it with a name in the question, or with what answers a part of it",
    "over": "it is no longer true",
    "newer": "it is put before an older statement that it may replace",
    "negation": "it denies or affirms as the question does",
    "spread": "better ones of its conversation come first, where many are asked for",
    "useful": "marks and outcomes in general",
    "useful_here": "marks given for questions like this one",
    "useful_near": "marks given to memories like it, for questions like this one",
    "rerank": "what the reranking model says",
    "id": "the question names it by its id",
}
"""By the name of the part. Together the parts of a memory are its score."""


def legend_of(names: Iterable[str]) -> dict[str, str]:
    """Return what parts mean, in the legend's order; a part without an entry is left out."""
    wanted = {*names}
    return {name: text for name, text in LEGEND.items() if name in wanted}
