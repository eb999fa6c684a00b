"""How far a short answer says what is right, by its words; pure functions.

F1, exact match and what counts for each category are those of LoCoMo's own code,
task_eval/evaluation.py of snap-research/locomo (Maharana et al., 2024), with Porter's stemmer where
it has NLTK's variant of it. Its code has no BLEU-1: that is of Papineni et al. (2002), over the
same words.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

import Stemmer

from mem_mcp.api.models import Model

NOT_MENTIONED = "Not mentioned"
"""What is right where a conversation does not say it."""
_SAYS_SO = ("no information available", "not mentioned")
_ARTICLES = re.compile(r"\b(?:a|an|the|and)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Scores(Model):
    """One answer, 0 to 1 each."""

    f1: float = 0.0
    bleu1: float = 0.0
    exact: float = 0.0


def scores(category: str, given: str, right: str) -> Scores:
    """Score an answer as its category has it.

    Of a multi-hop question each part of the right answer is sought among the given ones, for F1;
    of an open-domain one the right answer ends at the first semicolon; of an adversarial one, every
    score is whether the answer says that the conversation does not.

    Args:
        category: as LoCoMo's questions have it, in words.
        given: the answer.
        right: what it should say.
    """
    if category == "adversarial":
        says_so = float(any(phrase in given.lower() for phrase in _SAYS_SO))
        return Scores(f1=says_so, bleu1=says_so, exact=says_so)
    if category == "open-domain":
        right = right.partition(";")[0]
    by_words: Callable[[str, str], float] = f1_of_list if category == "multi-hop" else f1
    return Scores(f1=by_words(given, right), bleu1=bleu1(given, right), exact=exact(given, right))


def words(text: str) -> list[str]:
    """Return the words that count: in lower case, without punctuation, articles and "and"."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def f1(given: str, right: str) -> float:
    """Return the harmonic mean of the shares of words that both have, stemmed."""
    ours, theirs = _stems(given), _stems(right)
    both = _shared(ours, theirs)
    return 2 * both / (len(ours) + len(theirs)) if both else 0.0


def f1_of_list(given: str, right: str) -> float:
    """Return how well each part of the right answer is met by one of the given, on average.

    Parts stand between commas.
    """
    parts = given.split(",")
    return fmean(max(f1(part, wanted) for part in parts) for wanted in right.split(","))


def bleu1(given: str, right: str) -> float:
    """Return the share of the given words that are right, less where they are fewer."""
    ours, theirs = words(given), words(right)
    if not ours:
        return 0.0
    brevity = min(1.0, math.exp(1 - len(theirs) / len(ours)))
    return brevity * _shared(ours, theirs) / len(ours)


def exact(given: str, right: str) -> float:
    """Return 1 if both have the same words, in whatever order and number, else 0."""
    return float(set(words(given)) == set(words(right)))


def _stems(text: str) -> list[str]:
    # One for each call: a stemmer keeps state while it works.
    stems: list[str] = Stemmer.Stemmer("porter").stemWords(words(text))
    return stems


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return (Counter(one) & Counter(other)).total()
