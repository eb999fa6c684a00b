"""Polarity: of like-worded statements those first that deny where the question does."""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from candidate_builder import build, signals_of

from mem_mcp.denial import denies
from mem_mcp.ranking import Ranking, same_polarity_first


def ranked(
    question: str, *texts: str, worse: float = 0.9, marked: bool = False, later: bool = False
) -> tuple[Ranking, Ranking]:
    """Return a ranking of two statements, and what becomes of it."""
    candidates = build(texts)
    score = np.array([1.0, worse])
    before = Ranking(np.arange(2), score, {"words": score})
    before = replace(before, later={0: [1]}) if later else before
    signals = signals_of([(0, 1.0, -1)]) if marked else None
    return before, same_polarity_first(question, candidates, before, signals)


AFFIRMED_AND_DENIED = [
    ("Service alpha uses Redis.", "Service beta does not use Redis.",
     "Which service uses Redis?", "Which service does not use Redis?"),
    ("Herr Adler isst Fisch.", "Frau Busch isst keinen Fisch.",
     "Wer isst Fisch?", "Wer isst keinen Fisch?"),
    ("Elena usa gafas.", "Bruno no usa gafas.", "¿Quién usa gafas?", "¿Quién no usa gafas?"),
    ("Le module facture est testé.", "Le module stock n'est pas testé.",
     "Quel module est testé ?", "Quel module n'est pas testé ?"),
    ("O bloco 12 tem garagem.", "O bloco 15 não tem garagem.",
     "Qual bloco tem garagem?", "Qual bloco não tem garagem?"),
    ("Аня пьёт молоко.", "Боря не пьёт молоко.", "Кто пьёт молоко?", "Кто не пьёт молоко?"),
    ("小李会开车。", "小王不会开车。", "谁会开车?", "谁不会开车?"),
    ("赤い皿は食洗機で洗える。", "青い皿は食洗機で洗えない。",
     "どの皿が食洗機で洗える?", "どの皿が食洗機で洗えない?"),
    ("น้องเอกินเผ็ด", "น้องบีไม่กินเผ็ด", "ใครกินเผ็ด", "ใครไม่กินเผ็ด"),
    ("كريم يأكل السمك.", "رامي لا يأكل السمك.", "من يأكل السمك؟", "من لا يأكل السمك؟"),
    ("मीना चाय पीती है।", "रीना चाय नहीं पीती।", "कौन चाय पीती है?", "कौन चाय नहीं पीती?"),
    ("Phòng 2 có máy lạnh.", "Phòng 5 không có máy lạnh.",
     "Phòng nào có máy lạnh?", "Phòng nào không có máy lạnh?"),
]  # fmt: skip


@pytest.mark.parametrize(("affirmed", "denied", "which", "which_not"), AFFIRMED_AND_DENIED)
def test_a_question_that_denies_gets_what_is_denied_first_and_another_what_is_affirmed(
    affirmed: str, denied: str, which: str, which_not: str
):
    for question, right, other in ((which, affirmed, denied), (which_not, denied, affirmed)):
        before, after = ranked(question, other, right)
        assert after.order.tolist() == [1, 0]
        assert np.allclose(sum(after.parts.values()), after.score)
        assert after.score.tolist() == [1.0, 1.0]
        before, after = ranked(question, right, other)
        assert after is before


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("Should I cook mushrooms for Bo?", "Bo never touches mushrooms.", "Bo found mushrooms."),
        ("Which house has no lift?", "The mill house has a lift.", "The mill has no oven."),
        ("Does beta use Redis?", "Service beta does not use Redis.", "Service alpha uses Redis."),
        ("What is not only red?", "The car is not only red.", "The cart is only red, not blue."),
        (
            "Qual módulo fica no porão?",
            "O módulo azul fica no porão.",
            "O verde não fica no porão.",
        ),
    ],
)
def test_what_says_something_else_stays_where_it_is(question: str, first: str, second: str):
    before, after = ranked(question, first, second)
    assert after is before


def test_what_scores_much_less_what_was_marked_and_a_newer_word_stay():
    case = ("Which service does not use Redis?", *AFFIRMED_AND_DENIED[0][:2])
    for kept in ({"worse": 0.6}, {"marked": True}, {"later": True}):
        before, after = ranked(*case, **kept)
        assert after.order.tolist() == before.order.tolist()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Os relatórios ficam no Metabase.", "pt", False),
        ("Im Mai fahren wir weg.", "de", False),
        ("मुझे चाय नहीं चाहिए।", "hi", True),
        ("इसका मतलब यह है।", "hi", False),
        ("It doesn’t work.", "en", True),
        ("It's not only red.", "en", False),
    ],
)
def test_a_denial_is_one_in_its_own_language(text: str, language: str, expected: bool):
    assert denies(text, language) is expected
