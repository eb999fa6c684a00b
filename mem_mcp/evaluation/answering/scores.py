"""How well the words of a short answer agree with the right answer; pure functions.

F1, exact match and the rules of each category are those of LoCoMo's own code,
task_eval/evaluation.py of snap-research/locomo (Maharana et al., 2024), but with Porter's stemmer
in place of NLTK's variant of it. That code has no BLEU-1: it is taken from Papineni et al. (2002),
over the same words.
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
"""The right answer where the conversation does not give one."""
_SAYS_SO = ("no information available", "not mentioned")
_ARTICLES = re.compile(r"\b(?:a|an|the|and)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Scores(Model):
    """The scores of one answer, each 0 to 1."""

    f1: float = 0.0
    bleu1: float = 0.0
    exact: float = 0.0


def scores(category: str, answer: str, right: str) -> Scores:
    """Score an answer by the rules of its category.

    Multi-hop: F1 seeks each part of the right answer among those of the answer. Open-domain: the
    right answer ends at the first semicolon. Adversarial: every score is 1 if the answer says that
    the conversation does not mention it, else 0.

    Args:
        category: of the question, in words.
        answer: the one to score.
        right: what it should say.
    """
    if category == "adversarial":
        says_so = float(any(phrase in answer.lower() for phrase in _SAYS_SO))
        return Scores(f1=says_so, bleu1=says_so, exact=says_so)
    if category == "open-domain":
        right = right.partition(";")[0]
    by_words: Callable[[str, str], float] = f1_of_list if category == "multi-hop" else f1
    return Scores(
        f1=by_words(answer, right), bleu1=bleu1(answer, right), exact=exact(answer, right)
    )


def words(text: str) -> list[str]:
    """Return the words in lower case, without punctuation, articles and "and"."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def f1(answer: str, right: str) -> float:
    """Return the F1 of the stemmed words: harmonic mean of precision and recall."""
    ours, theirs = _stems(answer), _stems(right)
    both = _shared(ours, theirs)
    return 2 * both / (len(ours) + len(theirs)) if both else 0.0


def f1_of_list(answer: str, right: str) -> float:
    """Return the mean of the best F1 that each part of the right answer has with one of `answer`.

    Parts stand between commas.
    """
    parts = answer.split(",")
    return fmean(max(f1(part, wanted) for part in parts) for wanted in right.split(","))


def bleu1(answer: str, right: str) -> float:
    """Return the share of the answer's words that are right; too short an answer gets less."""
    ours, theirs = words(answer), words(right)
    if not ours:
        return 0.0
    brevity = min(1.0, math.exp(1 - len(theirs) / len(ours)))
    return brevity * _shared(ours, theirs) / len(ours)


def exact(answer: str, right: str) -> float:
    """Return 1 if both have the same set of words, else 0."""
    return float(set(words(answer)) == set(words(right)))


def _stems(text: str) -> list[str]:
    # Each call has its own stemmer: one keeps state while it works.
    stems: list[str] = Stemmer.Stemmer("porter").stemWords(words(text))
    return stems


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return (Counter(one) & Counter(other)).total()
