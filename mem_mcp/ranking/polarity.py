"""Polarity: of like-worded statements those first that deny where the question does."""

from __future__ import annotations

import re

from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.feedback_boost import FeedbackSignals
from mem_mcp.ranking.reordering import is_statement, marks_of, put_before
from mem_mcp.ranking.same_subject import Wording

_COMPARED = 12
"""Best statements that are held against one another."""
_LEAST_SHARE = 0.75
"""Of the other's score that one must have which is put before it; 0.7 to 0.85 equal on everyday."""

_ASKS_WHICH = re.compile(
    r"\b(?:wh(?:ich|o|om|ose|at|ere|en)|how|welche[rsnm]?|wer|wen|wem|wessen|was|wo|wann|wie"
    r"|quel\w*|qui|que|quoi|où|quand|comment|cuál\w*|quién\w*|qué|dónde|cuándo|cómo|qual|quais"
    r"|quem|onde|quando|chi|quale|quali|cosa|che|dove|welke?|wie|wat|waar|wanneer|kto|który|która"
    r"|które|co|gdzie|kiedy|кто|кого|кому|что|какой|какая|какие|какое|какую|где|когда|чей|hangi"
    r"|kim|ne|nerede|siapa|apa|mana|من|ما|ماذا|أي|أين|متى|ai|gì|nào|đâu)\b"
    r"|(?<!\w)(?:कौन|किस|कहाँ|कब)|谁|誰|哪|什么|什麼|何|どの|どれ|どこ|いつ|ใคร|อะไร|ไหน|누가|누구|어느|무엇|어디|언제",
    re.IGNORECASE,
)
"""Which of several is asked for: what is answered by yes or no is answered by a denial, too."""


def same_polarity_first(
    question: str,
    candidates: Candidates,
    ranking: Ranking,
    signals: FeedbackSignals | None = None,
) -> Ranking:
    """Put statements that deny, or affirm, as the question does before like ones that do not.

    A question to be answered by yes or no moves nothing, unless it denies something itself. A
    statement is moved only past those that have no word of the question that it has not, that
    score little more, and that it is no older or newer word of.

    Args:
        question: what is asked.
        candidates: the memories that may answer it.
        ranking: of these; what is put before another gets its score, as the part `negation`.
        signals: feedback on the candidates.
    """
    rows = [row for row in ranking.order[: 2 * _COMPARED].tolist() if is_statement(candidates, row)]
    rows = rows[:_COMPARED]
    language = candidates.language
    said = {row: Wording.of(candidates.texts[row], language) for row in rows}
    if len({one.denies for one in said.values()}) < len((False, True)):
        return ranking
    asked = Wording.of(question, language)
    wanted = asked.denies
    if not (wanted or _ASKS_WHICH.search(question)):
        return ranking
    before: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        if said[row].denies != wanted:
            continue
        others = [
            other
            for other in rows[:place]
            if said[other].denies != wanted
            and asked.content & said[other].content <= said[row].content
            and ranking.score[row] >= _LEAST_SHARE * ranking.score[other]
            and row not in ranking.later.get(other, ())
        ]
        if others:
            before[row] = others
    return put_before(ranking, before, marks_of(candidates, signals), "negation")
