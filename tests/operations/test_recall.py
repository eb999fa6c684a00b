"""recall: what is found, in which order, within which bounds, and what never is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import RecallResult
from mem_mcp.config import RecallSettings
from mem_mcp.errors import InvalidInput
from mem_mcp.text import count_tokens

FACTS = (
    "Caroline moved here from Sweden four years ago.",
    "Melanie painted a sunrise over the lake last summer.",
    "The staging database runs PostgreSQL 16 on port 6432.",
    "Use exponential backoff when the payment API answers 429.",
    "Bob is allergic to peanuts and carries an injector.",
    "The quarterly report is due on the first Monday of April.",
    "parse_config_file raises ConfigError for unknown keys.",
    "The office in Lisbon closes at seven in the evening.",
    "Ann plays the cello in an amateur orchestra.",
    "Deploys go out on Tuesdays, never on Fridays.",
)
QUESTIONS = (
    ("Where does Caroline come from?", 0),
    ("Who paints?", 1),
    ("which port has the staging database", 2),
    ("What to do about rate limits of the payment API?", 3),
    ("What must Bob not eat?", 4),
    ("When is the quarterly report due?", 5),
    ("parse_config_file", 6),
    ("When does the Lisbon office close?", 7),
    ("Which instrument does Ann play?", 8),
    ("On which day do we deploy?", 9),
)


pytestmark = pytest.mark.usefixtures("one_model")


async def only(memory: AsyncMemory, text: str, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    return one.memory_id


async def store(memory: AsyncMemory, texts: Any, **fields: Any) -> list[str]:
    results: list[str] = []
    for start in range(0, len(texts), 1_000):
        items = [{"content": text, **fields} for text in texts[start : start + 1_000]]
        results += [one.memory_id for one in (await memory.remember_many(items)).results]
    return results


def texts(found: RecallResult) -> list[str]:
    return [memory.text for memory in found.memories]


def scored(found: RecallResult) -> list[tuple[str, float]]:
    return [(memory.text, memory.score) for memory in found.memories]


# What is found.


@pytest.mark.anyio
async def test_each_question_finds_its_answer_first(memory: AsyncMemory):
    ids = await store(memory, FACTS)
    recall_ids = set()
    for question, answer in QUESTIONS:
        found = await memory.recall(question, limit=3)
        assert found.memories[0].memory_id == ids[answer], question
        assert found.degraded == []
        recall_ids.add(found.recall_id)
    assert len(recall_ids) == len(QUESTIONS)


@pytest.mark.anyio
async def test_an_answer_shows_what_was_stored(memory: AsyncMemory):
    memory_id = await only(
        memory,
        "Ann knows Bob",
        tags=["people"],
        metadata={"n": 1},
        relations=[{"source": "Ann", "relation": "knows", "target": "Bob"}],
        occurred_at="2026-01-31T12:00:00Z",
        agent_id="a",
        run_id="r",
    )
    await memory.update_memory(memory_id, valid_until="2026-02-01T00:00:00Z")
    (one,) = (await memory.recall("Who knows Bob?")).memories
    stored = (await memory.get_memory(memory_id)).memory
    assert one.memory_id == memory_id
    for field in (
        "text", "kind", "tags", "metadata", "relations", "user_id", "agent_id", "run_id",
        "actor_id", "occurred_at", "recorded_at", "valid_until",
    ):  # fmt: skip
        assert getattr(one, field) == getattr(stored, field), field
    assert one.scores is None
    assert one.valid_until == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.anyio
async def test_nothing_stored_is_an_empty_answer(memory: AsyncMemory):
    found = await memory.recall("anything")
    assert found.memories == []
    assert found.degraded == []
    assert found.recall_id


@pytest.mark.anyio
async def test_scores_fall_from_the_best_and_lie_between_0_and_1(memory: AsyncMemory):
    await store(memory, FACTS)
    for question, _ in QUESTIONS:
        scores = [score for _, score in scored(await memory.recall(question))]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


@pytest.mark.anyio
async def test_an_off_topic_question_gets_lower_scores(memory: AsyncMemory):
    await store(memory, FACTS)
    best = min([(await memory.recall(question)).memories[0].score for question, _ in QUESTIONS])
    for question in ("How tall is Mount Everest?", "quantum chromodynamics", "bake sourdough"):
        found = await memory.recall(question)
        assert all(memory.score < best for memory in found.memories), question


@pytest.mark.anyio
async def test_the_parts_of_a_score_add_up_to_it(memory: AsyncMemory):
    await store(memory, FACTS)
    talk = [{"role": "user", "content": text, "name": "Ann"} for text in FACTS[:5]]
    await memory.remember(messages=talk, run_id="r")
    for question in [*(question for question, _ in QUESTIONS), "Ann?", "sunrise over the lake"]:
        found = await memory.recall(question, explain=True)
        for one in found.memories:
            assert one.scores
            assert sum(one.scores.values()) == pytest.approx(one.score, abs=1e-4)


@pytest.mark.anyio
async def test_the_same_question_gets_the_same_answer(memory: AsyncMemory):
    await store(memory, FACTS)
    first = await memory.recall("When is the report due?")
    await memory.maintain()
    assert scored(await memory.recall("When is the report due?")) == scored(first)


@pytest.mark.anyio
async def test_a_message_is_understood_with_its_neighbours(memory: AsyncMemory):
    talk = [
        ("Ann", "I want to plant tomatoes on my balcony this spring."),
        ("Bob", "Tomatoes on a balcony need a lot of sun, is yours sunny?"),
        ("Ann", "My balcony is sunny until noon, is that enough for tomatoes?"),
        ("Bob", "Until noon is fine for small tomatoes in large pots."),
        ("Ann", "Which soil should I take for the tomatoes in the pots?"),
        ("Bob", "The dark one from the market."),
        ("Ann", "And how often do I water the pots on the balcony?"),
        ("Bob", "Water the pots on the balcony every evening in summer."),
    ]
    spoken = [{"role": "user", "name": name, "content": text} for name, text in talk]
    await memory.remember(messages=spoken, run_id="r", user_id="together")
    for number, message in enumerate(spoken):
        await memory.remember(messages=[message], run_id=f"r{number}", user_id="apart")
    places, question = {}, "Which soil for the tomatoes?"
    for user in ("together", "apart"):
        found = texts(await memory.recall(question, user_id=user, min_score=0))
        places[user] = found.index("The dark one from the market.")
    assert places["together"] < places["apart"]
    assert places["together"] <= 2


# Bounds.


@pytest.mark.anyio
async def test_the_limit_is_filled_and_not_passed(memory: AsyncMemory):
    await store(memory, [f"note number {n} about {n * 7}" for n in range(250)])
    for limit in (1, 3, 10, 200):
        assert len((await memory.recall("note", limit=limit)).memories) == limit
    assert len((await memory.recall("note")).memories) == 10


@pytest.mark.anyio
async def test_only_whole_memories_fit_the_budget(memory: AsyncMemory):
    await store(memory, FACTS)
    free = await memory.recall("When is the quarterly report due?")
    sizes = {text: count_tokens(text) for text in FACTS}
    for budget in (1, 12, 20, 30, 60, 10_000):
        found = await memory.recall("When is the quarterly report due?", max_tokens=budget)
        assert sum(sizes[text] for text in texts(found)) <= budget
        assert set(texts(found)) <= set(FACTS)
    assert texts(await memory.recall("When is the quarterly report due?", max_tokens=1)) == []
    assert texts(found) == texts(free)
    best = sizes[texts(free)[0]]
    exact = await memory.recall("When is the quarterly report due?", max_tokens=best)
    assert texts(exact) == texts(free)[:1]


@pytest.mark.anyio
async def test_min_score_cuts_on_the_score(memory: AsyncMemory):
    await store(memory, FACTS)
    free = scored(await memory.recall("Which instrument does Ann play?", min_score=0))
    cut = free[2][1]
    found = scored(await memory.recall("Which instrument does Ann play?", min_score=cut))
    assert found == [(text, score) for text, score in free if score >= cut]
    assert texts(await memory.recall("Everest", min_score=1.0)) == []


@pytest.mark.anyio
async def test_near_duplicates_give_way_to_the_next_best(memory: AsyncMemory):
    alike = ["Ann plays the cello", "Ann plays the cello.", "Ann  plays the cello"]
    for agent, text in zip("abc", alike, strict=True):
        await only(memory, text, agent_id=agent)
    await store(memory, FACTS[:5])
    assert (await memory.list_memories()).total == 8
    answer = await memory.recall("Who plays the cello?", limit=6, min_score=0)
    found = texts(answer)
    assert len(found) == 6
    (one,) = (memory for memory in answer.memories if memory.text in alike)
    listed = {m.memory_id for m in (await memory.list_memories()).memories if m.text in alike}
    assert {one.memory_id, *one.also} == listed
    assert [m.also for m in answer.memories if m.text not in alike] == [[]] * 5
    assert set(FACTS[:5]) <= set(found)


@pytest.mark.anyio
async def test_what_differs_in_a_number_or_a_negation_is_no_duplicate(memory: AsyncMemory):
    pairs = [
        "Port 5432 is open",
        "Port 5433 is open",
        "The test does pass",
        "The test does not pass",
    ]
    await store(memory, pairs)
    assert set(texts(await memory.recall("Which port is open, does the test pass?"))) == set(pairs)


# Whose.


@pytest.mark.anyio
async def test_another_users_memories_are_never_found(memory: AsyncMemory):
    await store(memory, FACTS, user_id="bob")
    assert texts(await memory.recall("Caroline", user_id="ann")) == []
    assert texts(await memory.recall("Caroline")) == []
    own = await only(memory, "Caroline is Ann's sister", user_id="ann")
    found = await memory.recall("Caroline", user_id="ann", limit=200)
    assert [one.memory_id for one in found.memories] == [own]
    for user in ("bo", "bob ", "BOB", "%", "' OR '1'='1"):
        assert texts(await memory.recall("Caroline", user_id=user)) == []


@pytest.mark.anyio
@pytest.mark.parametrize("whole", [2_000, 0])
async def test_nearer_memories_of_others_change_nothing(tmp_path: Path, whole: int):
    own = [f"Ann noted on day {n} that item {n * n} was somewhere in the cellar" for n in range(20)]
    others = [f"Where is the key to the wine cellar? Note {n}: the key to it" for n in range(300)]
    question = "Where is the key to the wine cellar?"
    recall = RecallSettings(whole=whole)
    answers = []
    for crowd in ([], others):
        settings = Settings(data_dir=tmp_path / f"{len(crowd)}", recall=recall)
        async with AsyncMemory.open(settings) as memory:
            for n in range(0, len(crowd), 100):
                await store(memory, crowd[n : n + 100], user_id=f"other {n}")
            await store(memory, own, user_id="ann")
            answers.append(scored(await memory.recall(question, user_id="ann", limit=200)))
    alone, among_others = answers
    assert {text for text, _ in alone} == set(own)
    if whole:
        assert among_others == alone
    else:  # candidates come in the store's order, and equal scores are told apart by id
        assert sorted(among_others) == sorted(alone)
        assert [score for _, score in among_others] == [score for _, score in alone]


@pytest.mark.anyio
async def test_global_memories_are_everybodys_unless_declined(memory: AsyncMemory):
    shared = await only(memory, "The wifi password is hunter2", user_id="global")
    await only(memory, "Ann's wifi is slow", user_id="ann")
    found = await memory.recall("wifi password", user_id="ann")
    assert found.memories[0].memory_id == shared
    assert found.memories[0].user_id == "global"
    assert texts(await memory.recall("wifi password", user_id="ann", include_global=False)) == [
        "Ann's wifi is slow"
    ]
    assert texts(await memory.recall("wifi password", user_id="global")) == [
        "The wifi password is hunter2"
    ]


@pytest.mark.anyio
async def test_an_agent_and_a_run_narrow_the_scope(memory: AsyncMemory):
    for agent in ("", "a", "b"):
        for run in ("", "r", "s"):
            text = f"tea of agent {agent or 'none'} in run {run or 'none'}"
            await only(memory, text, agent_id=agent, run_id=run)
    assert len(texts(await memory.recall("tea"))) == 9
    found = texts(await memory.recall("tea", agent_id="a"))
    assert len(found) == 3
    assert all("agent a" in text for text in found)
    found = texts(await memory.recall("tea", run_id="s"))
    assert len(found) == 3
    assert all("run s" in text for text in found)
    assert texts(await memory.recall("tea", agent_id="b", run_id="r")) == [
        "tea of agent b in run r"
    ]
    assert texts(await memory.recall("tea", agent_id="c")) == []


# Which.


@pytest.mark.anyio
async def test_kinds_and_tags_mean_any_of_them(memory: AsyncMemory):
    await only(memory, "tea one", tags=["x"])
    await only(memory, "tea two", tags=["y", "z"], kind="procedure")
    await only(memory, "tea three", kind="message")
    both = {"tea one", "tea two"}
    assert set(texts(await memory.recall("tea", tags=["x", "y"]))) == both
    assert texts(await memory.recall("tea", tags=["z", "w"])) == ["tea two"]
    assert texts(await memory.recall("tea", tags=["w"])) == []
    assert set(texts(await memory.recall("tea", kinds=["fact", "procedure"]))) == both
    assert texts(await memory.recall("tea", kinds=["lesson"])) == []
    assert len(texts(await memory.recall("tea", kinds=[], tags=[]))) == 3
    assert texts(await memory.recall("tea", kinds=["procedure"], tags=["x"])) == []


@pytest.mark.anyio
async def test_filters_narrow_what_is_found(memory: AsyncMemory):
    await only(memory, "tea one", metadata={"team": "a", "n": 1}, entities=["Ann"])
    await only(memory, "tea two", metadata={"team": "b", "n": 5})
    await only(memory, "tea three")
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"tea one", "tea two", "tea three"}),
        ({"metadata.team": "a"}, {"tea one"}),
        ({"metadata.team": {"ne": "a"}}, {"tea two", "tea three"}),
        ({"metadata.n": {"gte": 1, "lt": 5}}, {"tea one"}),
        ({"NOT": {"metadata.n": {"exists": True}}}, {"tea three"}),
        ({"OR": [{"entities": "Ann"}, {"text": {"contains": "two"}}]}, {"tea one", "tea two"}),
        ({"recorded_at": {"gt": datetime.now(UTC)}}, set()),
        ({"user_id": "somebody else"}, set()),
    ]
    for filters, expected in cases:
        assert set(texts(await memory.recall("tea", filters=filters))) == expected, filters


@pytest.mark.anyio
async def test_filters_cannot_reach_beyond_the_scope(memory: AsyncMemory):
    await only(memory, "the secret of Bob", user_id="bob")
    for filters in ({"user_id": "bob"}, {"OR": [{"user_id": "bob"}, {"NOT": {"text": ""}}]}):
        assert texts(await memory.recall("secret", filters=filters, user_id="ann")) == []


@pytest.mark.anyio
async def test_since_and_until_bound_when_it_happened(memory: AsyncMemory):
    for day in (1, 2, 3):
        await only(memory, f"tea on day {day}", occurred_at=f"2026-01-0{day}T12:00:00Z")

    async def days(**bounds: str) -> list[str]:
        return sorted(text[-1] for text in texts(await memory.recall("tea", **bounds)))

    assert await days() == ["1", "2", "3"]
    assert await days(since="2026-01-02T12:00:00Z") == ["2", "3"]
    assert await days(until="2026-01-02T12:00:00Z") == ["1", "2"]
    noon = "2026-01-02T14:00:00+02:00"
    assert await days(since=noon, until=noon) == ["2"]
    assert await days(since="2026-01-02T12:00:00.000001Z") == ["3"]
    assert await days(since="2030-01-01T00:00:00Z") == []


@pytest.mark.anyio
async def test_what_has_no_date_happened_when_it_was_recorded(memory: AsyncMemory):
    before = datetime.now(UTC)
    await only(memory, "tea without a date")
    assert len(texts(await memory.recall("tea", since=before))) == 1
    assert texts(await memory.recall("tea", until=before)) == []


@pytest.mark.anyio
async def test_expired_archived_and_forgotten_memories_are_not_recalled(memory: AsyncMemory):
    expired = await only(memory, "tea expired")
    await memory.update_memory(expired, expires_at="2020-01-01T00:00:00Z")
    await only(memory, "tea lasting", expires_at="2999-01-01T00:00:00Z")
    archived = await only(memory, "tea archived")
    await memory.update_memory(archived, status="archived")
    await memory.forget(await only(memory, "tea forgotten"))
    for status in ("hidden", "pending", "probation"):
        line = f'{{"text": "tea {status}", "status": "{status}"}}'
        await memory.import_lines([line.encode()])
    assert set(texts(await memory.recall("tea"))) == {"tea lasting", "tea probation"}
    # Asking for them in filters does not bring them back.
    assert texts(await memory.recall("tea", filters={"status": "archived"})) == []
    await memory.update_memory(archived, status="active")
    assert "tea archived" in texts(await memory.recall("tea"))


@pytest.mark.anyio
async def test_what_is_no_longer_true_is_found_with_its_end(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome")
    await memory.update_memory(memory_id, valid_until="2020-01-01T00:00:00Z")
    (one,) = (await memory.recall("Where does Ann live?")).memories
    assert one.valid_until == datetime(2020, 1, 1, tzinfo=UTC)
    assert texts(await memory.recall("Ann", filters={"valid_until": {"exists": False}})) == []


@pytest.mark.anyio
async def test_as_of_gives_the_answer_of_that_moment(memory: AsyncMemory):
    start = datetime.now(UTC)
    memory_id = await only(memory, "Ann lives in Rome")
    rome = datetime.now(UTC)
    await memory.update_memory(memory_id, content="Ann lives in Oslo")
    oslo = datetime.now(UTC)
    await only(memory, "Ann has a cat")
    cat = datetime.now(UTC)
    await memory.forget(memory_id)
    question = "Where does Ann live?"

    async def then(moment: datetime | None, **more: Any) -> set[str]:
        return set(texts(await memory.recall(question, as_of=moment, **more)))

    assert await then(start) == set()
    assert await then(rome) == {"Ann lives in Rome"}
    assert await then(oslo) == {"Ann lives in Oslo"}
    assert await then(cat) == {"Ann lives in Oslo", "Ann has a cat"}
    assert await then(datetime.now(UTC)) == {"Ann has a cat"}
    assert await then(None) == {"Ann has a cat"}
    assert await then(datetime.now(UTC) + timedelta(days=1)) == {"Ann has a cat"}
    assert await then(rome, filters={"metadata.x": 1}) == set()
    stored = (await memory.get_memory(memory_id, history=True)).versions
    assert await then(stored[0].recorded_at) == {"Ann lives in Rome"}
    assert await then(stored[1].recorded_at) == {"Ann lives in Oslo"}


@pytest.mark.anyio
async def test_as_of_shows_what_has_expired_or_was_archived_since(memory: AsyncMemory):
    expiring = await only(memory, "tea that expires")
    archived = await only(memory, "tea to be archived")
    then = datetime.now(UTC)
    await memory.update_memory(expiring, expires_at=then + timedelta(microseconds=1))
    await memory.update_memory(archived, status="archived")
    assert texts(await memory.recall("tea")) == []
    assert len(texts(await memory.recall("tea", as_of=then))) == 2


@pytest.mark.anyio
async def test_a_purged_memory_is_gone_from_the_past_too(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    then = datetime.now(UTC)
    await memory.forget(memory_id, purge=True)
    assert texts(await memory.recall("tea", as_of=then)) == []


# Large scopes.


@pytest.mark.anyio
async def test_a_large_scope_gets_nearly_the_answer_that_ranking_it_whole_gives(tmp_path: Path):
    noise = [f"{fact[:-1]} in case {n}" for n in range(40) for fact in FACTS]
    talk = [{"role": "user", "content": f"Line {n}: {FACTS[n % 10]}"} for n in range(40)]
    answers: list[list[list[str]]] = []
    data_dir = tmp_path / "memory"
    async with AsyncMemory.open(Settings(data_dir=data_dir)) as memory:
        await store(memory, [*FACTS, *noise])
        await memory.remember(messages=talk, run_id="r")
    for whole in (2_000, 0):
        recall = RecallSettings(whole=whole, pool=200)
        async with AsyncMemory.open(Settings(data_dir=data_dir, recall=recall)) as memory:
            answers.append(
                [texts(await memory.recall(question, limit=5)) for question, _ in QUESTIONS]
            )
            assert texts(await memory.recall("Bob", tags=["none"])) == []
            assert texts(await memory.recall("Bob", run_id="s")) == []
    shared = [len(set(one) & set(other)) for one, other in zip(*answers, strict=True)]
    assert all(len(one) == len(other) == 5 for one, other in zip(*answers, strict=True))
    assert sum(shared) >= 0.8 * 5 * len(QUESTIONS)
    assert sum(one[0] == other[0] for one, other in zip(*answers, strict=True)) >= 8


# Odd questions.

ODD = {
    "emoji": "🎉🔥👩‍👩‍👧",
    "stop words": "what is the of and a",
    "chinese": "数据库在哪里",
    "japanese": "データベースはどこですか",
    "arabic": "أين قاعدة البيانات؟",
    "one name": "Caroline",
    "one letter": "a",
    "punctuation": "?!.,;:()[]{}\"'`",
    "sql": "'; DROP TABLE memories; --",
    "wildcards": "% _ * ^ ~ AND OR NOT",
    "long": "where is the database " * 2_270,
    "one long word": "x" * 50_000,
    "control characters": "\x07\x1b[31m\x7f tea",
    "newlines": "\n\nWhere\n\tis\r\nBob\n",
    "combining": "e\u0301" * 100,
    "many words": " ".join(f"word{n}" for n in range(5_000)),
}


@pytest.mark.anyio
@pytest.mark.parametrize("whole", [2_000, 0])
@pytest.mark.slow
async def test_every_odd_question_is_answered(tmp_path: Path, whole: int):
    settings = Settings(data_dir=tmp_path / "memory", recall=RecallSettings(whole=whole))
    async with AsyncMemory.open(settings) as memory:
        await store(memory, [*FACTS, "数据库在服务器上", "🎉 party", "قاعدة البيانات هنا"])
        for name, question in ODD.items():
            found = await memory.recall(question, explain=True)
            assert found.memories, name
            notes = ["query: 7 hidden or control characters were taken out"]
            assert found.degraded == (notes if name == "control characters" else []), name
            assert all(0 <= one.score <= 1 for one in found.memories), name
        assert texts(await memory.recall(ODD["chinese"]))[0] == "数据库在服务器上"
        assert texts(await memory.recall(ODD["arabic"]))[0] == "قاعدة البيانات هنا"
        assert texts(await memory.recall("Caroline"))[0] == FACTS[0]


@pytest.mark.anyio
async def test_recalls_at_once_each_get_their_answer(memory: AsyncMemory):
    ids = await store(memory, FACTS)
    found = await asyncio.gather(*(memory.recall(question) for question, _ in QUESTIONS * 3))
    assert [one.memories[0].memory_id for one in found] == [ids[n] for _, n in QUESTIONS * 3]


@pytest.mark.anyio
async def test_a_remembered_text_is_found_at_once(memory: AsyncMemory):
    for number in range(5):
        memory_id = await only(memory, f"the locker code of {number} is {number * 111}")
        found = await memory.recall(f"What is the locker code of {number}?", limit=1)
        assert found.memories[0].memory_id == memory_id


# Refusals.

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("query", {"query": ""}),
    ("query", {"query": " \n"}),
    ("query", {"query": "x" * 50_001}),
    ("query", {"query": "nul \x00"}),
    ("query", {"query": "surrogate \ud800"}),
    ("query", {"query": None}),
    ("limit", {"limit": 0}),
    ("limit", {"limit": 201}),
    ("limit", {"limit": -1}),
    ("limit", {"limit": 2.5}),
    ("limit", {"limit": True}),
    ("max_tokens", {"max_tokens": -1}),
    ("max_tokens", {"max_tokens": 1.5}),
    ("kinds", {"kinds": ["song"]}),
    ("kinds", {"kinds": "song"}),
    ("tags", {"tags": {"a": 1}}),
    ("tags", {"tags": [""]}),
    ("filters", {"filters": {"nonsense": 1}}),
    ("filters", {"filters": {"text": {"like": "x"}}}),
    ("filters", {"filters": ["text"]}),
    ("filters", {"filters": "text = 'x'"}),
    ("since", {"since": "2026-13-31T12:00:00Z"}),
    ("until", {"until": "tomorrow"}),
    ("since", {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
    ("as_of", {"as_of": "31/01/2026"}),
    ("min_score", {"min_score": -0.1}),
    ("min_score", {"min_score": 1.1}),
    ("min_score", {"min_score": float("nan")}),
    ("min_score", {"min_score": "high"}),
    ("user_id", {"user_id": "\x00"}),
    ("agent_id", {"agent_id": "a" * 513}),
    ("run_id", {"run_id": 5}),
]


@pytest.mark.anyio
async def test_what_is_wrong_is_refused_by_name(memory: AsyncMemory):
    await only(memory, "tea")
    for argument, arguments in WRONG:
        with pytest.raises(InvalidInput) as caught:
            await memory.recall(**{"query": "tea", **arguments})
        assert str(caught.value).startswith(argument), (argument, str(caught.value))
        assert len(str(caught.value)) < 1_000
    assert texts(await memory.recall("tea")) == ["tea"]


@pytest.mark.anyio
async def test_a_recall_writes_nothing(memory: AsyncMemory):
    await only(memory, "tea")
    before = (await memory.stats()).table_version
    await memory.recall("tea")
    assert (await memory.stats()).table_version == before


@pytest.mark.anyio
async def test_a_repeated_question_sees_what_another_handle_wrote_meanwhile(settings: Settings):
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        await one.remember("The kettle is red")
        for number in range(3):
            assert len((await one.recall("kettle", limit=50)).memories) == number + 1
            assert len((await one.recall("kettle", limit=50)).memories) == number + 1
            await other.remember(f"Kettle number {number} is blue as the sea at noon {number}")


@pytest.mark.anyio
async def test_what_expires_between_two_equal_questions_is_gone(memory: AsyncMemory):
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    await memory.remember("The kettle is red", expires_at=soon)
    assert len((await memory.recall("kettle")).memories) == 1
    while datetime.now(UTC) <= soon:
        await asyncio.sleep(0.05)
    assert (await memory.recall("kettle")).memories == []


# Records of what was done


@pytest.mark.anyio
async def test_a_record_without_a_lesson_answers_only_where_outcomes_are_asked_for(
    memory: AsyncMemory,
):
    fact = (await memory.remember("The release train leaves at 14:00.")).results[0].memory_id
    tried = await memory.record_outcome("Say when the release train leaves", "success")
    question = "When does the release train leave?"
    assert [one.memory_id for one in (await memory.recall(question)).memories] == [fact]
    for asked in ({"kinds": ["outcome"]}, {"filters": {"outcome_type": "success"}}):
        found = await memory.recall(question, **asked)
        assert [one.memory_id for one in found.memories] == [tried.memory_id]
    recall_id = (await memory.recall(question)).recall_id
    verdict = (await memory.why(recall_id, tried.memory_id)).verdict
    assert "an outcome without a lesson" in verdict


@pytest.mark.anyio
async def test_a_lesson_in_a_record_is_recalled_after_a_fact_of_the_same_words(
    memory: AsyncMemory,
):
    lesson = "The download cache must be purged after the download page was changed."
    record = await memory.record_outcome("Change the download page", "failure", lesson=lesson)
    assert [one.memory_id for one in (await memory.recall(lesson)).memories] == [record.memory_id]
    fact = (await memory.remember(lesson)).results[0].memory_id
    for question in (lesson, "What must be done after the download page was changed?"):
        found = [one.memory_id for one in (await memory.recall(question)).memories]
        assert found == [fact, record.memory_id]


@pytest.mark.anyio
async def test_a_lesson_given_to_a_record_later_is_found_at_once(memory: AsyncMemory):
    record = await memory.record_outcome("Change the download page", "failure")
    await memory.remember("Lunch is at noon.")
    question = "How is the download page changed?"
    before = {one.memory_id for one in (await memory.recall(question)).memories}
    text = "Change the download page\nLesson: Purge the cache first."
    await memory.update_memory(record.memory_id, content=text)
    after = {one.memory_id for one in (await memory.recall(question)).memories}
    assert record.memory_id not in before
    assert record.memory_id in after


@pytest.mark.anyio
@pytest.mark.parametrize("whole", [5_000, 0])
async def test_an_id_in_the_question_is_a_look_up(tmp_path: Path, whole: int):
    settings = Settings(data_dir=tmp_path / "data", recall=RecallSettings(whole=whole))
    async with AsyncMemory.open(settings) as memory:
        stored = (await memory.remember_many([{"content": fact} for fact in FACTS])).results
        (theirs,) = (await memory.remember("Zoe's secret is a vault.", user_id="zoe")).results
        for one in stored[-3:]:
            for named in (one.memory_id, one.memory_id[:20], one.memory_id[:12].upper()):
                found = await memory.recall(f"what about the lake, see {named}?", explain=True)
                first = found.memories[0]
                assert (first.memory_id, first.score) == (one.memory_id, 1.0)
                assert sum(first.scores.values()) == pytest.approx(1.0, abs=1e-4)
        found = await memory.recall(f"what is {stored[0].memory_id} and {stored[1].memory_id[:12]}")
        assert {one.memory_id for one in found.memories[:2]} == {
            stored[0].memory_id, stored[1].memory_id
        }  # fmt: skip
        for question in (theirs.memory_id, f"is {theirs.memory_id[:10]} about the vault?"):
            found = await memory.recall(question)
            assert theirs.memory_id not in {one.memory_id for one in found.memories}
            assert all(one.score < 1 for one in found.memories)
        short = await memory.recall(f"what about {stored[0].memory_id[:5]}?", explain=True)
        assert all("id" not in one.scores for one in short.memories)
