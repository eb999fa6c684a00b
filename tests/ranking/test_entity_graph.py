"""The graph's part of the ranking: names, ways over entities and relations, and their bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from candidate_builder import build
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mem_mcp.ranking import Query, rank
from mem_mcp.ranking.constants import SECOND_LOOK_BOOST
from mem_mcp.ranking.entity_graph import EntityGraph, EntityNames
from mem_mcp.ranking.entity_names import name_key, phrases

NOW = 1_800_000_000.0
NAMES = ("Ann", "ann", "Ann's", "Acme", "New York", "New-York", "李雷", "C++", "US", "🙂", "", " ")
RELATIONS = ("works at", "alias", "Also known as", "")
names = st.sampled_from(NAMES) | st.text(max_size=6)
lists = st.lists(names, max_size=4)
edges = st.lists(st.tuples(names, st.sampled_from(RELATIONS), names), max_size=3)
texts = st.lists(names | st.sampled_from(["where", "is", "tea?"]), max_size=6).map(" ".join)


@st.composite
def memories(draw):
    n = draw(st.integers(1, 8))
    return [(draw(texts), draw(lists), draw(edges)) for _ in range(n)]


def of(some):
    said, entities, relations = ([one[part] for one in some] for part in range(3))
    return build(said, entities=entities, relations=relations)


@given(memories(), texts)
@settings(max_examples=200, deadline=None)
def test_it_is_a_number_within_its_cap(some, question):
    candidates = of(some)
    ranking = rank(Query(question, None, NOW), candidates)
    graph = ranking.parts["graph"]
    content = sum(ranking.parts[name] for name in ("words", "meaning", "context", "reply", "alike"))
    assert np.isfinite(graph).all()
    assert (graph >= 0).all()
    assert graph.max() <= SECOND_LOOK_BOOST * max(content.max(), 0.0) + 1e-12
    if candidates.graph is not None:
        near = candidates.graph.nearness(question)
        assert ((near >= 0) & (near <= 1)).all()


@given(memories(), texts, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_the_memories_does_not_matter(some, question, random):
    rows = list(range(len(some)))
    random.shuffle(rows)
    one, other = (
        rank(Query(question, None, NOW), of(each)).parts["graph"]
        for each in (some, [some[row] for row in rows])
    )
    np.testing.assert_allclose(other, one[rows], atol=1e-12)


@given(st.lists(texts, min_size=1, max_size=8), texts, st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_without_entities_it_is_zero_and_changes_nothing(said, question, seed):
    vectors = np.random.default_rng(seed).normal(size=(len(said), 4)).astype(np.float32)
    query = Query(question, vectors[0], NOW)
    candidates = build(said, vectors=vectors)
    # Entities that the question does not name change nothing either.
    strangers = replace(candidates, relations=[[("zyx", "is", "xyz")]] * len(said))
    one, other = rank(query, candidates), rank(query, strangers)
    assert candidates.graph is None
    assert not one.parts["graph"].any()
    assert not other.parts["graph"].any()
    assert one.order.tolist() == other.order.tolist()
    assert one.score.tolist() == other.score.tolist()


@given(names | st.text())
@settings(max_examples=300)
@example("\u0130stanbul")
def test_a_name_means_itself(name):
    assert name_key(name_key(name)) == name_key(name)
    if name_key(name):
        assert EntityNames([[name]], []).of(name) == name_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("New-York", "new york"),
        ("  New \n York ", "NEW YORK"),
        ("Ann's", "Ann"),
        ("Ann\u2019s", "ann"),
        ("\uff21\uff2e\uff2e", "Ann"),
        ("Straße", "STRASSE"),
        ("parse_config", "parse config"),
    ],
)
def test_spellings_of_one_name(one, other):
    assert name_key(one) == name_key(other)


def test_names_that_only_look_alike_stay_apart():
    assert len({name_key(name) for name in ("C", "C++", "C#")}) == 3
    assert name_key("Ann") != name_key("Anna")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Where is Ann's office?", {"ann"}),
        ("is new-york larger than york", {"new york", "york"}),
        ("tell us about it", set()),
        ("what does the US export", {"us"}),
        ("李雷喜欢什么", {"李 雷"}),
        ("Annie", set()),
        ("", set()),
    ],
)
def test_what_a_question_names(question, named):
    known = EntityNames([["Ann", "New York", "York", "US", "李雷", "New"]], [])
    assert known.in_text(question) == named


def test_aliases_are_one_entity_whatever_their_order():
    told = [[("Bill", "Also known as", "William")], [("William", "is called", "Billy")]]
    for some in (told, told[::-1]):
        known = EntityNames([["Bob"]], some)
        assert len({known.of(name) for name in ("Bill", "William", "billy's")}) == 1
        assert known.of("Bob") == "bob"


def test_one_hop_counts_full_and_two_half_and_three_nothing():
    graph = EntityGraph.of(
        [[], [], [], []],
        [
            [("Ann", "works at", "Acme")],
            [("Acme", "sits in", "Berlin")],
            [("Berlin", "has", "rain")],
            [("Bo", "likes", "tea")],
        ],
    )
    first, second, third, stranger = graph.nearness("Where is Ann?")
    passed = 1 / np.log2(3)  # two speak of Acme
    assert first == pytest.approx(1.0)
    assert second == pytest.approx(0.5 * passed)
    assert third == stranger == 0


def test_entities_that_a_memory_lists_are_a_way_as_relations_are():
    graph = EntityGraph.of([["Ann", "Acme"], ["Acme"], ["Bo"]], [[], [], []])
    assert (graph.nearness("Ann") > 0).tolist() == [True, True, False]


def test_a_hub_moves_nothing_noticeable():
    n = 200
    said = [f"note {row} on matter {row % 7}" for row in range(n)]
    vectors = np.random.default_rng(5).normal(size=(n, 4)).astype(np.float32)
    query = Query("what does Ann say of matter 3 in note 17?", vectors[17], NOW)
    plain = rank(query, build(said, vectors=vectors))
    relations = [[("Ann", "wrote", f"draft{row}")] for row in range(n)]
    linked = rank(query, build(said, relations=relations, vectors=vectors))
    assert np.abs(linked.score - plain.score).max() < 0.02
    assert linked.order[:10].tolist() == plain.order[:10].tolist()


def test_a_text_of_many_words_is_looked_at_in_bounds():
    assert len(phrases("ann " * 10_000)) <= 256


TIDES = [
    ("Nora Vale wrote the Tides report.", ("Nora Vale", "wrote", "Tides report")),
    ("Idris Kamau is the boss of Nora Vale.", ("Idris Kamau", "boss of", "Nora Vale")),
    ("Lena Ortiz wrote the Dunes report.", ("Lena Ortiz", "wrote", "Dunes report")),
    ("Paul Reyes is the boss of Lena Ortiz.", ("Paul Reyes", "boss of", "Lena Ortiz")),
    ("Nora Vale lives in Bergen.", ("Nora Vale", "lives in", "Bergen")),
    ("Lena Ortiz lives in Turin.", ("Lena Ortiz", "lives in", "Turin")),
    ("Idris Kamau plays the cello.", ("Idris Kamau", "plays", "cello")),
    ("Paul Reyes plays the horn.", ("Paul Reyes", "plays", "horn")),
]


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("Who is the boss of the person who wrote the Tides report?", 0, 1),
        ("Who is the boss of who wrote the Dunes report?", 2, 3),
        ("Where lives the person who wrote the Tides report?", 0, 4),
        ("What plays the boss of Nora Vale?", 1, 6),
    ],
)
def test_what_answers_a_part_of_a_question_leads_to_what_answers_the_rest(question, start, end):
    said = [text for text, _ in TIDES]
    query = Query(question, None, NOW)
    ranking = rank(query, build(said, relations=[[edge] for _, edge in TIDES]))
    assert set(ranking.order[:2].tolist()) == {start, end}
    assert ranking.parts["graph"][end] > 0.2
    assert set(rank(query, build(said)).order[:2].tolist()) != {start, end}


def test_a_question_that_one_memory_answers_is_led_nowhere():
    candidates = build([text for text, _ in TIDES], relations=[[edge] for _, edge in TIDES])
    for row, question in ((0, "Who wrote the Tides report?"), (4, "Where does Nora Vale live?")):
        assert rank(Query(question, None, NOW), candidates).order[0] == row
