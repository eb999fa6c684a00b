"""Questions for the latest or the first of several memories."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from candidate_builder import build

from mem_mcp.ranking import Query, rank
from mem_mcp.ranking.time_order import asked_order

NOW = datetime(2026, 11, 18, 9, tzinfo=UTC).timestamp()
DAY = 86_400.0
LATEST = (
    "most recent release", "what did we ship last?", "Was war die letzte Version?",
    "¿Cuál fue la última versión?", "Quelle est la dernière version ?", "qual è l'ultima versione",
    "qual foi a última versão?", "Какая последняя версия?", "最新版本是什么?", "最後の版は?",
    "เวอร์ชันล่าสุดคืออะไร", "ما آخر إصدار؟", "phiên bản mới nhất", "laatste release",
    "ostatnie wydanie", "आखिरी रिलीज़ कौन सी थी?",
)  # fmt: skip
FIRST = (
    "the oldest release", "which release was first?", "Was war die erste Version?",
    "¿Cuál fue la primera versión?", "la première version", "qual è la prima versione",
    "a primeira versão", "первая версия", "最早的版本", "最初の版は?", "เวอร์ชันที่เก่าที่สุด", "أول إصدار",
    "phiên bản đầu tiên", "eerste release", "pierwsze wydanie", "सबसे पुरानी रिलीज़",
)  # fmt: skip
NEITHER = (
    "what happened last week?", "letzte Woche", "la semaine dernière", "la última semana",
    "What is Ann's last name?", "where is the first aid kit", "Wo ist die Erste Hilfe?",
    "How long do shifts last?", "my son and his school", "on the last Monday", "в последний месяц",
    "the first release and the last one", "lastly", "",
)  # fmt: skip


@pytest.mark.parametrize("question", LATEST)
def test_words_for_the_latest_ask_for_it(question: str):
    assert asked_order(question) == 1


@pytest.mark.parametrize("question", FIRST)
def test_words_for_the_first_ask_for_it(question: str):
    assert asked_order(question) == -1


@pytest.mark.parametrize("question", NEITHER)
def test_a_time_a_name_and_the_verb_to_last_ask_for_no_order(question: str):
    assert asked_order(question) == 0


def texts_in_order(question: str, **columns) -> list[str]:
    texts = ["Release 4.9 went out.", "Release 5.2 went out.", "Release 5.0 went out.", "Lunch."]
    times = [NOW - DAY * days for days in (300, 20, 90, 1)]
    candidates = build(texts, times=times, **columns)
    ranking = rank(Query(question, None, NOW), candidates)
    assert np.allclose(sum(ranking.parts.values()), ranking.score)
    assert ("order" in ranking.parts) == (asked_order(question) != 0)
    return [texts[row] for row in ranking.order[:3]]


def test_of_those_that_match_the_latest_or_the_first_comes_first():
    in_time = ["Release 4.9 went out.", "Release 5.0 went out.", "Release 5.2 went out."]
    assert texts_in_order("the latest release") == in_time[::-1]
    assert texts_in_order("the oldest release") == in_time


def test_what_matches_better_is_put_in_no_order_with_what_matches_less():
    candidates = build(
        ["The violin of Ann was sold to the school.", "Ann sold a pan."], times=[NOW - DAY, NOW]
    )
    ranking = rank(Query("when was Ann's violin sold last to the school", None, NOW), candidates)
    assert ranking.order.tolist() == [0, 1]


def test_messages_of_a_conversation_are_put_in_no_order():
    assert "order" in rank(Query("last release", None, NOW), build(["Release", "release"])).parts
    kinds = ["message"] * 4
    ranking = rank(Query("last release", None, NOW), build(["Release"] * 4, kinds=kinds))
    assert not ranking.parts["order"].any()


def test_what_a_task_or_a_long_text_tells_is_put_in_no_order():
    told = "The latest release does not start. It was last seen running in March 2026. "
    texts, times = ["Release 4.9 did start.", "The latest release"], [NOW - 300 * DAY, NOW - DAY]
    candidates = build(texts, times=times)
    timed = {"order", "time", "period"}
    for query in (Query(told * 20, None, NOW), Query(told, None, NOW, of_their_kind=True)):
        assert not timed & set(rank(query, candidates).parts)
    assert timed & set(rank(Query(told, None, NOW), candidates).parts)
