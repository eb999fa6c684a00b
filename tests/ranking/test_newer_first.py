"""Newer first: which of two statements on the same thing comes first."""

# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from candidate_builder import build, signals_of

from mem_mcp import AsyncMemory
from mem_mcp.evaluation.datasets.everyday import Half
from mem_mcp.evaluation.retrieval.everyday import HALVES, run_everyday
from mem_mcp.ranking import Ranking, newer_first

DATA = Path(__file__).parents[1] / "data" / "changed_minds.jsonl"
PAIRS: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def ranked(
    question: str, *texts: str, current: bool = True, marked: int | None = None
) -> tuple[Ranking, Ranking]:
    """Return a ranking of statements, each newer and less fitting than the one before it, and
    what becomes of it."""
    n = len(texts)
    candidates = build(texts, np.tile([1.0, 0.0], (n, 1)), times=range(n))
    score = np.linspace(0.9, 0.5, n)
    before = Ranking(np.arange(n), score, {"words": score})
    is_current = np.array([True] * (n - 1) + [current])
    signals = None
    if marked is not None:
        signals = signals_of([(marked, 1.0, -1)])
    return before, newer_first(question, candidates, before, is_current, signals)


REPLACED = [
    ("Where does the CI run?", "The CI runs on Jenkins.", "The CI was moved to GitHub Actions."),
    ("When is the stand-up?", "The stand-up is at 9:30.", "The stand-up is at 10:15."),
    ("Was trinke ich?", "Ich trinke Tee.", "Ich trinke jetzt Kaffee."),
    ("Где я живу?", "Я живу в Казани.", "Я переехал в Томск."),
    ("Is the lift broken?", "The lift is broken.", "The lift runs again."),
    ("Is the shop open?", "The shop is open.", "The shop is not open."),
    ("متى الاجتماع؟", "الاجتماع يوم الأحد.", "الاجتماع أصبح يوم الثلاثاء."),
    ("会議はいつですか?", "会議は月曜日です。", "会議は水曜日に変更になりました。"),
    (
        "what does max_retry do",
        "max_retry is read at start.",
        "max_retry is read at each call now.",
    ),
]
KEPT = [
    ("Where does Tom live?", "Tom lives in Rome.", "Anna lives in Oslo now."),
    ("where does tom live?", "Tom lives in Rome.", "Anna lives in Oslo."),
    ("Is invoice 1001 paid?", "Invoice 1001 is paid.", "Invoice 1010 is paid now."),
    ("the trip of 2024", "The trip goes to Rome.", "The trip goes to Oslo."),
    ("MAX_RETRY", "MAX_RETRY is read at start.", "maxRetry is read now."),
    ("is src/total.ts used?", "src/total.ts is not used.", "src/total.test.ts is used again."),
    ("Where is the office?", "The office is in Rome.", "The office in Rome is on floor 2."),
    ("Which service uses Redis?", "Service a uses Redis.", "Service b does not use Redis."),
    ("Who waters the plants?", "Tom waters the plants.", "The plants are green now. " * 20),
    ("Who waters the plants?", "Tom waters the plants.", "Tom waters the lawn."),
    ("How does Nils like pears?", "Nils eats pears when peeled.", "Nils is fond of trains."),
    ("What does Anna review?", "Anna reviews the site.", "Anna plans to write the docs."),
    ("What is billing written in?", "The billing app is in Go.", "The search app moved to Rust."),
    ("У кого ключ от склада?", "Ключ от склада у Павла.", "Ключ от офиса теперь у Дины."),
    ("上海办公室有多少人?", "上海办公室有二十人。", "深圳办公室现在有三十人。"),
    ("what does 🚲 mean?", "🚲 in the calendar means away.", "🐢 in the calendar means slow."),
    ("How does Liv like her steak?", "Liv likes her steak rare.", "Liv bought steak knives."),
]
PAST = [
    ("Where did the CI run before?", "The CI runs on Jenkins.", "The CI was moved to GitLab."),
    ("was the door red?", "The door is red.", "The door is blue now."),
    ("Wo habe ich früher gewohnt?", "Ich wohne in Köln.", "Ich bin nach Leipzig gezogen."),
]


@pytest.mark.parametrize(("question", "older", "newer"), REPLACED)
def test_a_newer_statement_comes_first_with_the_score_of_the_older_one_and_says_so(
    question: str, older: str, newer: str
):
    before, after = ranked(question, older, newer)
    assert after.order.tolist() == [1, 0]
    assert after.score.tolist() == [0.9, 0.9]
    assert np.allclose(sum(after.parts.values()), after.score)
    assert (after.later, before.later) == ({1: [0]}, {})


@pytest.mark.parametrize(("question", "older", "newer"), KEPT)
def test_a_statement_on_something_else_stays_where_it_is(question: str, older: str, newer: str):
    before, after = ranked(question, older, newer)
    assert after is before


@pytest.mark.parametrize(("question", "older", "newer"), PAST)
def test_a_question_about_the_past_leaves_the_order_and_is_told_which_is_newer(
    question: str, older: str, newer: str
):
    before, after = ranked(question, older, newer)
    assert (after.order is before.order, after.score is before.score) == (True, True)
    assert after.later == {1: [0]}


@pytest.mark.parametrize("marked", [0, 1])
def test_what_a_mark_tells_apart_stays_in_the_order_of_the_scores(marked: int):
    before, after = ranked(*REPLACED[0], marked=marked)
    assert after.order is before.order


def test_what_no_longer_holds_replaces_nothing():
    before, after = ranked(*REPLACED[0], current=False)
    assert after is before


def test_of_three_the_newest_comes_first():
    _, after = ranked(
        "Where is the office?", "The office is in Rome.", "The office is in Oslo.",
        "The office is now in Bonn.",
    )  # fmt: skip
    assert after.order.tolist() == [2, 1, 0]


def test_a_crowd_of_the_like_stays_in_the_order_of_the_scores():
    before, after = ranked("Where is it?", *(f"It is now in {place}." for place in "ABCD"))
    assert after is before


@pytest.mark.anyio
async def test_questions_about_now_get_the_newer_statement_before_the_older_one(
    memory: AsyncMemory,
):
    replaced = [pair for pair in PAIRS if pair["replaces"] and pair["half"] == "measure"]
    items = [
        {"content": text, "user_id": f"u{number}", "occurred_at": when}
        for number, pair in enumerate(replaced)
        for text, when in ((pair["old"], "2026-01-10"), (pair["new"], "2026-10-20"))
    ]
    await memory.remember_many(items)
    newer = []
    for number, pair in enumerate(replaced):
        found = (await memory.recall(pair["question"], user_id=f"u{number}", explain=True)).memories
        assert {one.text for one in found} == {pair["old"], pair["new"]}
        first, second = found
        newer.append(first.text == pair["new"])
        if first.newer_than:
            assert first.newer_than == [second.memory_id]
        assert sum(first.scores.values()) == pytest.approx(first.score, abs=1e-4)
    assert len(newer) == 36
    assert np.mean(newer) >= 9 / 12


@pytest.mark.anyio
@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(("kind", "least"), [("changed", 75), ("unchanged", 91)])
@pytest.mark.slow
async def test_in_stores_of_thirteen_languages_the_newer_comes_first_only_on_the_same_thing(
    kind: str, least: int, half: Half
):
    report = await run_everyday(DATA.parent / "newer_first" / f"{kind}.yaml", half)
    assert {row.error for row in report.rows} == {None}
    assert report.figure("hit@1", half) >= least


@pytest.mark.parametrize(
    ("question", "mine", "another"),
    [
        ("Where do I live?", "I live in Leeds.", "Bob lives in Rome."),
        ("What is my blood type?", "My blood type is A.", "Her blood type is B."),
        ("Где я работаю?", "Я работаю в банке.", "Аня работает в школе."),
        ("Wo arbeite ich?", "Ich arbeite bei Bosch.", "Jan arbeitet bei SAP."),
    ],
)
def test_what_another_says_or_has_does_not_replace_what_is_ones_own(question, mine, another):
    before, after = ranked(question, mine, another)
    assert after.order.tolist() == before.order.tolist()
