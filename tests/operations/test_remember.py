"""remember and remember_many: what is stored, once, in order, and what is refused."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import AsyncMemory, Memory, Settings
from mem_mcp.api.models import RememberResult
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.embedding.onnx import MODEL_DIR
from mem_mcp.errors import InvalidInput, MemError
from mem_mcp.intake.hidden_characters import cleaned
from mem_mcp.store import filters

NASTY = (
    'O\'Brien said "hi"',
    "x' OR '1'='1",
    "'; DROP TABLE memories; --",
    "back\\slash \\' \\n",
    "%_%",
    "line\nbreak\ttab",
    "日本語 العربية עברית",
    "😀 👩‍👩‍👧 é é",
    "{'$ne': null}",
)


pytestmark = pytest.mark.usefixtures("one_model")


def messages(*texts: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text, **fields} for text in texts]


def ids(result: RememberResult) -> list[str]:
    return [one.memory_id for one in result.results]


def events(result: RememberResult) -> list[str]:
    return [one.event for one in result.results]


async def only(memory: AsyncMemory, text: str, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    return one.memory_id


async def table_version(memory: AsyncMemory) -> int:
    return (await memory.stats()).table_version


async def run_of(memory: AsyncMemory, run_id: str) -> list[tuple[int | None, str]]:
    listed = await memory.list_memories(kinds=["message"], run_id=run_id, limit=200)
    return sorted((m.position, m.text) for m in listed.memories)  # type: ignore[type-var]


# What is stored.


@pytest.mark.anyio
async def test_a_memory_keeps_everything_it_was_given(memory: AsyncMemory):
    memory_id = await only(
        memory,
        "  Deploys go out on Tuesdays.\n",
        kind="procedure",
        tags=["deploy", "deploy", "rule"],
        metadata={"team": "a", "n": 1, "deep": {"x": [None, True]}},
        entities=["Tuesday"],
        relations=[{"source": "deploy", "relation": "on", "target": "Tuesday"}],
        occurred_at="2026-01-31T12:00:00+01:00",
        expires_at="2999-01-01T00:00:00Z",
        user_id="ann",
        agent_id="agent",
        run_id="run",
    )
    stored = (await memory.get_memory(memory_id, user_id="ann")).memory
    assert stored.text == "  Deploys go out on Tuesdays.\n"
    assert (stored.kind, stored.event, stored.version, stored.status) == (
        "procedure", "ADD", 1, "active",
    )  # fmt: skip
    assert stored.version_id == f"{memory_id}.1"
    assert stored.tags == ["deploy", "rule"]
    assert stored.metadata == {"team": "a", "n": 1, "deep": {"x": [None, True]}}
    assert stored.entities == ["Tuesday"]
    assert [edge.model_dump() for edge in stored.relations] == [
        {"source": "deploy", "relation": "on", "target": "Tuesday"}
    ]
    assert stored.occurred_at == datetime(2026, 1, 31, 11, tzinfo=UTC)
    assert stored.expires_at == datetime(2999, 1, 1, tzinfo=UTC)
    assert (stored.user_id, stored.agent_id, stored.run_id) == ("ann", "agent", "run")
    assert stored.superseded_at is None
    assert stored.embedder


@pytest.mark.anyio
async def test_a_memory_needs_only_a_text(memory: AsyncMemory):
    before = datetime.now(UTC)
    result = await memory.remember("plain")
    assert result.degraded == []
    assert result.llm is None
    stored = (await memory.get_memory(ids(result)[0])).memory
    assert (stored.kind, stored.user_id, stored.agent_id, stored.run_id) == (
        "fact", "default", None, None,
    )  # fmt: skip
    assert before <= stored.recorded_at <= datetime.now(UTC)
    assert stored.occurred_at.tzinfo is not None
    assert abs(stored.occurred_at - stored.recorded_at) < timedelta(seconds=30)
    assert (stored.tags, stored.metadata, stored.entities, stored.position) == ([], {}, [], None)


@pytest.mark.anyio
@pytest.mark.parametrize("text", NASTY)
async def test_any_text_in_any_field_is_kept_as_it_is(memory: AsyncMemory, text: str):
    memory_id = await only(
        memory,
        text,
        user_id=text,
        agent_id=text,
        run_id=text,
        tags=[text],
        entities=[text],
        metadata={text: text},
        relations=[{"source": text, "relation": text, "target": text}],
        idempotency_key=text,
    )
    stored = (await memory.get_memory(memory_id, user_id=text)).memory
    assert {stored.text, stored.user_id, stored.agent_id, stored.run_id, *stored.tags} == {text}
    assert stored.metadata == {text: text}
    assert stored.relations[0].model_dump() == {"source": text, "relation": text, "target": text}
    found = await memory.recall(text, user_id=text, agent_id=text, run_id=text, tags=[text])
    assert [m.memory_id for m in found.memories] == [memory_id]
    assert (await memory.list_memories(user_id="ann")).total == 0


@hypothesis_settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=st.lists(st.text(), min_size=1, max_size=5))
@pytest.mark.anyio
async def test_every_text_is_stored_unchanged_or_refused(memory: AsyncMemory, texts: list[str]):
    for text in texts:
        try:
            memory_id = await only(memory, text)
        except InvalidInput as error:
            assert error.argument == "content"  # noqa: PT017 - either is right
            assert not cleaned(text)[0].strip() or "\x00" in text
        else:
            stored = (await memory.get_memory(memory_id)).memory.text
            # An equal text but for case and white space may have been there before.
            assert stored.casefold().split() == cleaned(text)[0].casefold().split()


# Duplicates.


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["fact", "procedure"])
async def test_a_text_is_stored_once_whoever_repeats_it_in_whichever_run(
    memory: AsyncMemory, kind: str
):
    first = await memory.remember("Ann likes  Tea.", kind=kind, run_id="one")
    again = await memory.remember(" Ann likes  Tea.\n", kind=kind, run_id="two")
    assert events(first) == ["ADD"]
    assert events(again) == ["NONE"]
    assert ids(first) == ids(again)
    assert again.results[0].text == "Ann likes  Tea."
    assert (await memory.stats()).versions == 1


@pytest.mark.anyio
async def test_the_same_text_of_another_kind_user_or_agent_is_another_memory(memory: AsyncMemory):
    scopes: list[dict[str, Any]] = [
        {},
        {"kind": "procedure"},
        {"user_id": "ann"},
        {"user_id": "global"},
        {"agent_id": "a"},
        {"user_id": "ann", "agent_id": "a"},
    ]
    for fields in scopes:
        assert events(await memory.remember("the same", **fields)) == ["ADD"]
    for fields in scopes:
        assert events(await memory.remember("the same", **fields)) == ["NONE"]
    assert (await memory.stats()).memories == len(scopes)


@pytest.mark.anyio
async def test_what_many_others_have_said_is_remembered_like_anything_else(
    memory: AsyncMemory, monkeypatch: pytest.MonkeyPatch
):
    said = [{"content": f"Shelf {number} is full."} for number in range(20)]
    for user in range(4):
        await memory.remember_many([{**each, "user_id": f"user {user}"} for each in said])
    monkeypatch.setattr(filters, "MAX_VALUES", 50)
    stored = await memory.remember_many([{**each, "user_id": "ann"} for each in said])
    assert events(stored) == ["ADD"] * 20
    again = await memory.remember_many([{**each, "user_id": "ann"} for each in said])
    assert events(again) == ["NONE"] * 20


@pytest.mark.anyio
async def test_ids_that_look_joined_alike_stay_apart(memory: AsyncMemory):
    first = await only(memory, "text", user_id="a", agent_id="b c")
    second = await only(memory, "text", user_id="a b", agent_id="c")
    third = await only(memory, "text", user_id="a:b", agent_id="c")
    assert len({first, second, third}) == 3


@pytest.mark.anyio
async def test_a_duplicate_within_a_batch_is_stored_once(memory: AsyncMemory):
    result = await memory.remember_many(
        [{"content": text} for text in ("red", "blue", "\tred", "red ")]
    )
    assert events(result) == ["ADD", "ADD", "NONE", "NONE"]
    assert ids(result)[0] == ids(result)[2] == ids(result)[3]


@pytest.mark.anyio
async def test_a_forgotten_text_is_remembered_anew(memory: AsyncMemory):
    seen = set()
    for _ in range(3):
        result = await memory.remember("Ann likes tea")
        assert events(result) == ["ADD"]
        assert events(await memory.remember("Ann likes tea")) == ["NONE"]
        seen.add(ids(result)[0])
        await memory.forget(ids(result)[0])
    assert len(seen) == 3
    assert (await memory.list_memories()).total == 0


@pytest.mark.anyio
async def test_a_purged_text_may_be_remembered_again(memory: AsyncMemory):
    first = await only(memory, "Ann likes tea")
    await memory.forget(first, purge=True)
    again = await memory.remember("Ann likes tea")
    assert events(again) == ["ADD"]
    assert [m.text for m in (await memory.list_memories()).memories] == ["Ann likes tea"]


@pytest.mark.anyio
async def test_the_old_text_of_an_updated_memory_is_news_again(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome")
    await memory.update_memory(memory_id, content="Ann lives in Oslo")
    assert events(await memory.remember("Ann lives in Oslo")) == ["NONE"]
    again = await memory.remember("Ann lives in Rome")
    assert events(again) == ["ADD"]
    assert ids(again) != [memory_id]
    texts = {m.text for m in (await memory.list_memories()).memories}
    assert texts == {"Ann lives in Rome", "Ann lives in Oslo"}


@pytest.mark.anyio
async def test_an_expired_text_comes_back_when_it_is_said_again(memory: AsyncMemory):
    first = await only(memory, "the code is 4711")
    await memory.update_memory(first, expires_at="2020-01-01T00:00:00Z")
    again = await memory.remember("the code is 4711")
    assert (events(again), ids(again)) == (["UPDATE"], [first])
    found = await memory.recall("code")
    assert [m.text for m in found.memories] == ["the code is 4711"]


@pytest.mark.anyio
async def test_the_same_text_remembered_at_once_is_stored_once(memory: AsyncMemory):
    results = await asyncio.gather(*(memory.remember("the same") for _ in range(8)))
    assert sorted(event for result in results for event in events(result)) == [
        "ADD", *["NONE"] * 7,
    ]  # fmt: skip
    assert len({ids(result)[0] for result in results}) == 1
    assert (await memory.stats()).versions == 1


@pytest.mark.anyio
async def test_of_batches_that_overlap_every_text_is_added_by_exactly_one(memory: AsyncMemory):
    shared = [f"shared {n}" for n in range(3)]
    batches = [[*shared, f"own of {n}"] for n in range(4)]
    results = await asyncio.gather(
        *(memory.remember_many([{"content": text} for text in batch]) for batch in batches)
    )
    added = [one.text for result in results for one in result.results if one.event == "ADD"]
    assert sorted(added) == sorted({text for batch in batches for text in batch})
    assert (await memory.stats()).versions == len(added)


# Messages.


@pytest.mark.anyio
async def test_messages_keep_role_name_run_and_place(memory: AsyncMemory):
    result = await memory.remember(
        messages=[
            {"role": "user", "content": "Hi, I am Ann", "name": "Ann"},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "Ann!"}],
                "occurred_at": "2026-01-31T12:00:00Z",
            },
        ],
        run_id="r",
        occurred_at="2026-01-30T12:00:00Z",
        tags=["t"],
    )
    assert events(result) == ["ADD", "ADD"]
    first, second = [(await memory.get_memory(i)).memory for i in ids(result)]
    assert (first.kind, first.role, first.actor_id, first.position) == ("message", "user", "Ann", 0)
    assert (second.role, second.actor_id, second.position) == ("assistant", None, 1)
    assert (first.run_id, second.run_id) == ("r", "r")
    assert second.text == "Hello\nAnn!"
    assert first.occurred_at == datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert second.occurred_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert first.tags == second.tags == ["t"]


@pytest.mark.anyio
async def test_the_name_of_the_speaker_counts_in_the_meaning(memory: AsyncMemory):
    await memory.remember(messages=messages("I love it", name="Caroline"))
    await memory.remember("I love it", user_id="plain")
    with_name = await memory.recall("Caroline: I love it", explain=True)
    without = await memory.recall("Caroline: I love it", explain=True, user_id="plain")
    assert with_name.memories[0].score > without.memories[0].score


@pytest.mark.anyio
async def test_messages_go_on_from_the_last_place_of_their_run(memory: AsyncMemory):
    await memory.remember(messages=messages("a", "b"), run_id="r")
    await memory.remember(messages=messages("other"), run_id="s")
    await memory.remember(messages=messages("no run"))
    await memory.remember("c", kind="message", run_id="r")
    result = await memory.remember(messages=messages("Yes!", "Yes!"), run_id="r")
    assert events(result) == ["ADD", "ADD"]
    assert await run_of(memory, "r") == [(0, "a"), (1, "b"), (2, "c"), (3, "Yes!"), (4, "Yes!")]
    assert await run_of(memory, "s") == [(0, "other")]


@pytest.mark.anyio
async def test_the_place_of_a_forgotten_message_is_not_taken_again(memory: AsyncMemory):
    result = await memory.remember(messages=messages("a", "b"), run_id="r")
    await memory.forget(ids(result)[1])
    await memory.remember(messages=messages("c"), run_id="r")
    assert await run_of(memory, "r") == [(0, "a"), (2, "c")]


@pytest.mark.anyio
async def test_an_updated_message_keeps_its_place(memory: AsyncMemory):
    result = await memory.remember(messages=messages("a", "b"), run_id="r")
    await memory.update_memory(ids(result)[0], content="a, corrected")
    await memory.remember(messages=messages("c"), run_id="r")
    assert await run_of(memory, "r") == [(0, "a, corrected"), (1, "b"), (2, "c")]


@pytest.mark.anyio
async def test_runs_of_two_users_are_numbered_apart(memory: AsyncMemory):
    for user in ("ann", "bob", "ann"):
        await memory.remember(messages=messages("x", "y"), run_id="r", user_id=user)
    listed = await memory.list_memories(user_id="ann", order="oldest")
    assert [m.position for m in listed.memories] == [0, 1, 2, 3]
    assert (await memory.list_memories(user_id="bob")).total == 2


@pytest.mark.anyio
async def test_appends_at_once_leave_no_gap_and_do_not_mix(memory: AsyncMemory):
    calls = [[f"{caller} {n}" for n in range(4)] for caller in "abcdefgh"]
    await asyncio.gather(
        *(memory.remember(messages=messages(*texts), run_id="r") for texts in calls)
    )
    places = await run_of(memory, "r")
    assert [position for position, _ in places] == list(range(32))
    texts = [text for _, text in places]
    assert sorted(texts[start : start + 4] for start in range(0, 32, 4)) == calls


@pytest.mark.anyio
async def test_messages_of_a_batch_are_numbered_in_its_order(memory: AsyncMemory):
    await memory.remember_many(
        [
            {"content": "a", "kind": "message", "run_id": "r"},
            {"messages": messages("b", "c"), "run_id": "r"},
            {"content": "fact", "run_id": "r"},
            {"content": "d", "kind": "message", "run_id": "r"},
        ]
    )
    assert await run_of(memory, "r") == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


@pytest.mark.anyio
async def test_a_picture_is_left_out_and_the_answer_says_so(memory: AsyncMemory):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": "my cat"}, picture]
    result = await memory.remember(messages=[{"role": "user", "content": content}])
    assert [one.text for one in result.results] == ["my cat"]
    assert any("messages[0]" in note for note in result.degraded)


@pytest.mark.anyio
async def test_calls_that_are_given_up_leave_no_gap_and_block_nobody(
    settings: Settings, memory: AsyncMemory
):
    await memory.remember(messages=messages("first"), run_id="r")
    await memory.maintain()
    for moment in range(25):
        async with AsyncMemory.open(settings) as opened:
            calls = [
                asyncio.create_task(opened.remember(messages=messages(name), run_id="r"))
                for name in ("a", "b")
            ]
            await asyncio.wait(calls, timeout=moment * 0.002)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            async with asyncio.timeout(20):
                result = await opened.remember(messages=messages("after"), run_id="r")
            assert events(result) == ["ADD"]
    places = await run_of(memory, "r")
    assert [position for position, _ in places] == list(range(len(places)))
    assert [text for _, text in places].count("after") == 25


# Idempotency.


@pytest.mark.anyio
async def test_a_repeated_key_gets_the_first_answer_and_writes_nothing(memory: AsyncMemory):
    first = await memory.remember("Ann likes tea", idempotency_key="k")
    before = await table_version(memory)
    assert await memory.remember("Ann likes tea", idempotency_key="k") == first
    assert await memory.remember("something else", idempotency_key="k") == first
    assert await table_version(memory) == before
    assert events(first) == ["ADD"]


@pytest.mark.anyio
async def test_a_repeated_key_of_messages_appends_nothing(memory: AsyncMemory):
    first = await memory.remember(messages=messages("a", "b"), run_id="r", idempotency_key="k")
    assert (
        await memory.remember(messages=messages("a", "b"), run_id="r", idempotency_key="k") == first
    )
    await memory.remember(messages=messages("a", "b"), run_id="r", idempotency_key="other")
    assert [position for position, _ in await run_of(memory, "r")] == [0, 1, 2, 3]


@pytest.mark.anyio
async def test_a_repeated_key_gets_the_first_answer_after_the_memory_changed(memory: AsyncMemory):
    await memory.remember("Ann likes green tea a lot")
    first = await memory.remember("Ann likes green tea very much", idempotency_key="k")
    assert len(first.results[0].similar) == 1
    await memory.remember("Ann likes green tea very, very much")
    await memory.update_memory(ids(first)[0], content="Ann hates tea")
    assert await memory.remember("Ann likes green tea very much", idempotency_key="k") == first
    await memory.forget(ids(first)[0])
    assert await memory.remember("Ann likes green tea very much", idempotency_key="k") == first


@pytest.mark.anyio
async def test_a_repeated_key_gets_the_first_answer_when_that_was_none(memory: AsyncMemory):
    await memory.remember("Ann likes tea")
    first = await memory.remember("Ann likes tea", idempotency_key="k")
    assert events(first) == ["NONE"]
    assert await memory.remember("Ann likes tea", idempotency_key="k") == first
    assert (await memory.list_memories()).total == 1


@pytest.mark.anyio
async def test_a_key_belongs_to_its_scope(memory: AsyncMemory):
    scopes: list[dict[str, Any]] = [
        {},
        {"user_id": "ann"},
        {"user_id": "ann", "agent_id": "a"},
        {"user_id": "ann", "run_id": "r"},
        {"user_id": "ann", "agent_id": "a", "run_id": "r"},
    ]
    seen = [await only(memory, f"text {n}", idempotency_key="k", **s) for n, s in enumerate(scopes)]
    assert len(set(seen)) == len(scopes)
    again = [await only(memory, "anything", idempotency_key="k", **s) for s in scopes]
    assert again == seen


@pytest.mark.anyio
async def test_calls_with_one_key_at_once_get_one_answer(memory: AsyncMemory):
    results = await asyncio.gather(
        *(
            memory.remember(messages=messages("a", "b"), run_id="r", idempotency_key="k")
            for _ in range(6)
        )
    )
    assert all(result == results[0] for result in results)
    assert await run_of(memory, "r") == [(0, "a"), (1, "b")]


@pytest.mark.anyio
async def test_different_texts_with_one_key_at_once_get_one_answer(memory: AsyncMemory):
    results = await asyncio.gather(
        *(memory.remember(f"text {n}", idempotency_key="k") for n in range(6))
    )
    assert len({ids(result)[0] for result in results}) == 1
    assert (await memory.list_memories()).total == 1


# Batches.


@pytest.mark.anyio
async def test_a_thousand_are_one_commit_and_all_are_there(memory: AsyncMemory):
    await memory.remember("first")
    before = await table_version(memory)
    result = await memory.remember_many([{"content": f"n {n}"} for n in range(1_000)])
    assert events(result) == ["ADD"] * 1_000
    assert [one.text for one in result.results] == [f"n {n}" for n in range(1_000)]
    assert all(one.similar == [] for one in result.results)
    assert len(set(ids(result))) == 1_000
    assert await table_version(memory) == before + 1
    assert (await memory.list_memories(limit=1)).total == 1_001
    with pytest.raises(InvalidInput, match="1001"):
        await memory.remember_many([{"content": f"m {n}"} for n in range(1_001)])
    assert await table_version(memory) == before + 1


@pytest.mark.anyio
async def test_a_batch_with_one_bad_item_stores_nothing_and_names_it(memory: AsyncMemory):
    for bad in (
        {"content": " "},
        {"content": "x", "nonsense": 1},
        {"content": "x", "kind": "song"},
        {"content": "x", "idempotency_key": "k"},
        {},
    ):
        with pytest.raises(InvalidInput, match=r"items\[1\]"):
            await memory.remember_many([{"content": "good"}, bad])
    assert (await memory.stats()).versions == 0


@pytest.mark.anyio
async def test_a_batch_says_which_field_is_unknown(memory: AsyncMemory):
    with pytest.raises(InvalidInput, match=r"items\[0\].*nonsense"):
        await memory.remember_many([{"content": "x", "nonsense": 1}])


@pytest.mark.anyio
async def test_an_empty_batch_writes_nothing(memory: AsyncMemory):
    before = await table_version(memory)
    assert (await memory.remember_many([])).results == []
    assert await table_version(memory) == before


@pytest.mark.anyio
async def test_a_batch_may_hold_several_scopes(memory: AsyncMemory):
    items = [{"content": "same", "user_id": user} for user in ("ann", "bob", "ann")]
    assert events(await memory.remember_many(items)) == ["ADD", "ADD", "NONE"]


# Similar.


@pytest.mark.anyio
async def test_near_neighbours_are_named_nearest_first_and_at_most_three(memory: AsyncMemory):
    texts = [f"Caroline moved here from Sweden {n} years ago" for n in ("four", "five", "six")]
    texts += ["Caroline moved here from Sweden seven years ago"]
    stored = ids(await memory.remember_many([{"content": text} for text in texts]))
    await memory.remember("The build fails on Windows")
    result = await memory.remember("Caroline moved here from Sweden eight years ago")
    (one,) = result.results
    assert one.event == "ADD"
    assert len(one.similar) == 3
    assert {near.memory_id for near in one.similar} < set(stored)
    assert all(near.score >= 0.85 for near in one.similar)
    scores = [near.score for near in one.similar]
    assert scores == sorted(scores, reverse=True)
    texts_by_id = dict(zip(stored, texts, strict=True))
    assert all(near.text == texts_by_id[near.memory_id] for near in one.similar)


@pytest.mark.anyio
async def test_a_memory_is_not_similar_to_itself(memory: AsyncMemory):
    await memory.remember("Ann likes green tea")
    again = await memory.remember("Ann likes green tea")
    assert events(again) == ["NONE"]
    assert again.results[0].similar == []
    assert (await memory.remember("The sky is blue today")).results[0].similar == []


@pytest.mark.anyio
async def test_forgotten_archived_expired_and_foreign_memories_are_not_similar(
    memory: AsyncMemory,
):
    forgotten = await only(memory, "Ann likes green tea a lot")
    await memory.forget(forgotten)
    archived = await only(memory, "Ann likes green tea so much")
    await memory.update_memory(archived, status="archived")
    expired = await only(memory, "Ann likes green tea too")
    await memory.update_memory(expired, expires_at="2020-01-01T00:00:00Z")
    await memory.remember("Ann likes green tea indeed", user_id="bob")
    (one,) = (await memory.remember("Ann likes green tea very much")).results
    assert one.similar == []


@pytest.mark.anyio
async def test_each_message_has_its_own_similar(memory: AsyncMemory):
    tea = await only(memory, "Ann likes green tea a lot")
    sky = await only(memory, "The sky over Rome is blue")
    result = await memory.remember(
        messages=messages("Ann likes green tea very much", "The sky over Rome is so blue")
    )
    assert [[near.memory_id for near in one.similar] for one in result.results] == [[tea], [sky]]


# Refusals.

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("content", {"content": ""}),
    ("content", {"content": " \n\t\u3000"}),
    ("content", {"content": "x" * 100_001}),
    ("content", {"content": "nul \x00"}),
    ("content", {"content": "surrogate \ud800"}),
    ("content", {"content": 5}),
    ("content", {"content": "x", "messages": messages("y")}),
    ("kind", {"content": "x", "kind": "song"}),
    ("kind", {"content": "x", "kind": "outcome"}),
    ("kind", {"content": "x", "kind": "lesson"}),
    ("kind", {"messages": messages("x"), "kind": "fact"}),
    ("messages", {"messages": []}),
    ("messages[0]", {"messages": "hello"}),
    ("messages[0]", {"messages": ["hello"]}),
    ("messages[1]", {"messages": [*messages("x"), {"role": "user", "content": " "}]}),
    ("messages[0]", {"messages": [{"role": "user"}]}),
    ("messages[0]", {"messages": [{"role": "user", "content": None}]}),
    ("messages[0]", {"messages": [{"role": "user", "content": []}]}),
    ("messages[0].content", {"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
    ("messages[0].content", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}),
    ("messages[0].role", {"messages": [{"role": 5, "content": "x"}]}),
    ("messages[0].occurred_at", {"messages": messages("x", occurred_at="yesterday")}),
    ("messages[0].name", {"messages": messages("x", name="n" * 513)}),
    ("tags", {"content": "x", "tags": [""]}),
    ("tags", {"content": "x", "tags": [5]}),
    ("tags", {"content": "x", "tags": ["t" * 513]}),
    ("entities", {"content": "x", "entities": ["a\x00"]}),
    ("relations", {"content": "x", "relations": [{"source": "a", "target": "b"}]}),
    ("relations", {"content": "x", "relations": "a knows b"}),
    (
        "relations",
        {"content": "x", "relations": [{"source": "a", "relation": "", "target": "b"}]},
    ),
    ("metadata", {"content": "x", "metadata": "team a"}),
    ("metadata", {"content": "x", "metadata": {"": 1}}),
    ("metadata", {"content": "x", "metadata": {"a": float("nan")}}),
    ("metadata", {"content": "x", "metadata": {"a": 2**63}}),
    ("metadata", {"content": "x", "metadata": {"a": {"b": "\ud800"}}}),
    ("metadata", {"content": "x", "metadata": {"a": object()}}),
    ("metadata", {"content": "x", "metadata": {"a": {5: "x"}}}),
    ("metadata", {"content": "x", "metadata": {"a": "x" * 100_001}}),
    ("occurred_at", {"content": "x", "occurred_at": "2026-01-32T12:00:00"}),
    ("occurred_at", {"content": "x", "occurred_at": "2026-02-30T12:00:00Z"}),
    ("occurred_at", {"content": "x", "occurred_at": "yesterday"}),
    ("occurred_at", {"content": "x", "occurred_at": 1_769_860_800}),
    ("expires_at", {"content": "x", "expires_at": "0001-01-01T00:00:00+02:00"}),
    ("expires_at", {"content": "x", "expires_at": "9999-12-31T23:59:59-02:00"}),
    ("infer", {"content": "x", "infer": "sometimes"}),
    ("instructions", {"content": "x", "instructions": "\x00"}),
    ("user_id", {"content": "x", "user_id": "u" * 513}),
    ("user_id", {"content": "x", "user_id": "\x00"}),
    ("agent_id", {"content": "x", "agent_id": 5}),
    ("run_id", {"content": "x", "run_id": "\ud800"}),
    ("idempotency_key", {"content": "x", "idempotency_key": "k" * 513}),
]


@pytest.mark.anyio
async def test_what_is_wrong_is_refused_by_name_and_nothing_is_stored(memory: AsyncMemory):
    for argument, arguments in WRONG:
        with pytest.raises(InvalidInput) as caught:
            await memory.remember(**arguments)
        assert str(caught.value).startswith(argument), (argument, str(caught.value))
        assert len(str(caught.value)) < 1_000
    assert (await memory.stats()).versions == 0
    assert events(await memory.remember("the memory goes on")) == ["ADD"]


@pytest.mark.anyio
async def test_a_text_of_the_longest_length_is_stored_and_the_limit_is_said(memory: AsyncMemory):
    with pytest.raises(InvalidInput, match="100,000"):
        await memory.remember("x" * 100_001)
    memory_id = await only(memory, "word " * 20_000)
    assert len((await memory.get_memory(memory_id)).memory.text) == 100_000


@pytest.mark.anyio
async def test_metadata_may_be_deep_but_not_bottomless(memory: AsyncMemory):
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    with pytest.raises(InvalidInput, match="metadata"):
        await memory.remember("x", metadata=deep)
    ten: Any = "end"
    for _ in range(10):
        ten = {"a": [ten]} if _ % 2 else {"b": ten}
    memory_id = await only(memory, "x", metadata={"deep": ten})
    assert (await memory.get_memory(memory_id)).memory.metadata == {"deep": ten}


@pytest.mark.anyio
async def test_what_needs_a_language_model_is_said_in_the_answer(memory: AsyncMemory):
    result = await memory.remember("x", infer="always", instructions="only names")
    assert events(result) == ["ADD"]
    assert any("language model" in note for note in result.degraded)


# Without the embedder.


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the model that memories opened from now on use; a test may break it."""
    copy = Path(shutil.copytree(MODEL_DIR, tmp_path / "model"))
    monkeypatch.setattr("mem_mcp.memory.BundledEmbedder", lambda: BundledEmbedder(copy))
    return copy


@pytest.mark.anyio
@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.bin", "SHA256SUMS", "everything"])
async def test_without_the_embedder_words_still_work_and_it_is_said(
    settings: Settings, model: Path, missing: str
):
    for path in [*model.iterdir()] if missing == "everything" else [model / missing]:
        if path.is_file():
            path.unlink()
    async with AsyncMemory.open(settings) as memory:
        result = await memory.remember("Ann likes green tea")
        assert events(result) == ["ADD"]
        assert any("embedder" in note for note in result.degraded)
        assert events(await memory.remember("Ann likes green tea")) == ["NONE"]
        await memory.remember_many([{"content": "The sky is blue"}, {"content": "Bob drinks tea"}])
        found = await memory.recall("who drinks tea?")
        assert any("embedder" in note for note in found.degraded)
        assert found.memories[0].text == "Bob drinks tea"
        await memory.update_memory(ids(result)[0], content="Ann likes black coffee")
        assert (await memory.recall("coffee")).memories[0].memory_id == ids(result)[0]
        assert (await memory.maintain()).embedded == 0
        assert (await memory.stats()).without_vector == 3


@pytest.mark.anyio
@pytest.mark.parametrize("missing", ["model.onnx", "SHA256SUMS"])
async def test_a_repaired_embedder_catches_up_and_nobody_is_locked_out(
    settings: Settings, model: Path, missing: str
):
    (model / missing).unlink()
    async with AsyncMemory.open(settings) as memory:
        memory_id = await only(memory, "Caroline moved here from Sweden", metadata={"k": [1]})
        await memory.remember_many([{"content": f"The sky was blue on day {n}"} for n in range(5)])
    shutil.copy(MODEL_DIR / missing, model)
    async with AsyncMemory.open(settings) as memory:
        done = await memory.maintain()
        assert done.embedded == 6
        assert (await memory.stats()).without_vector == 0
        assert (await memory.maintain()).embedded == 0
        found = await memory.recall("What is her country of origin?")
        assert found.degraded == []
        assert found.memories[0].memory_id == memory_id
        whole = await memory.get_memory(memory_id, history=True)
        assert [v.version for v in whole.versions] == [1]
        assert whole.memory.metadata == {"k": [1]}


@pytest.mark.anyio
async def test_a_store_with_vectors_opens_while_the_embedder_is_broken(
    settings: Settings, model: Path
):
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("Ann likes green tea")
    for path in model.iterdir():
        if path.is_file():
            path.unlink()
    async with AsyncMemory.open(settings) as memory:
        found = await memory.recall("tea")
        assert [m.text for m in found.memories] == ["Ann likes green tea"]
        assert found.degraded


# The blocking memory.


@pytest.fixture
def blocking(settings: Settings) -> Iterator[Memory]:
    with Memory.open(settings) as opened:
        yield opened


def test_the_blocking_memory_does_the_same(blocking: Memory):
    first = blocking.remember("Ann likes green tea", tags=["t"])
    assert events(first) == ["ADD"]
    assert events(blocking.remember("Ann likes green tea")) == ["NONE"]
    assert events(blocking.remember_many([{"content": "Bob"}, {"content": "Bob"}])) == [
        "ADD", "NONE",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="content"):
        blocking.remember(" ")
    assert blocking.recall("tea").memories[0].memory_id == ids(first)[0]
    assert blocking.update_memory(ids(first)[0], tags=[]).version == 2
    assert blocking.get_memory(ids(first)[0]).memory.tags == []
    assert blocking.list_memories().total == 2
    assert blocking.forget(ids(first)[0]).forgotten == 1
    assert blocking.stats().memories == 1
    assert blocking.maintain().ran
    assert issubclass(InvalidInput, MemError)


@pytest.fixture
async def two(settings: Settings) -> AsyncIterator[tuple[AsyncMemory, AsyncMemory]]:
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        yield one, other


@pytest.mark.anyio
async def test_two_open_memories_on_one_folder_share_everything(
    two: tuple[AsyncMemory, AsyncMemory],
):
    one, other = two
    results = await asyncio.gather(
        *(side.remember(f"text {n}") for n in range(10) for side in two),
        *(side.remember(messages=messages("m"), run_id="r") for _ in range(5) for side in two),
    )
    added = [event for result in results for event in events(result)]
    assert added.count("ADD") == 20
    assert added.count("NONE") == 10
    assert [p for p, _ in await run_of(one, "r")] == list(range(10))
    assert await run_of(other, "r") == await run_of(one, "r")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("I live in Lisbon.", "I moved to Porto."),
        ("The default branch is master.", "The default branch was renamed to main."),
        ("Ich wohne in Köln.", "Ich bin jetzt nach Köln-Deutz gezogen."),
        ("会议定在周二。", "会议改到周四了。"),
    ],
)
async def test_what_a_new_statement_may_replace_is_named(memory: AsyncMemory, old: str, new: str):
    await memory.remember("The printer is on the second floor.")
    before = await only(memory, old)
    (one,) = (await memory.remember(new)).results
    assert [near.memory_id for near in one.similar] == [before]


@pytest.mark.anyio
async def test_a_retry_gets_its_first_answer_also_after_its_memory_has_expired(
    memory: AsyncMemory, monkeypatch: pytest.MonkeyPatch
):
    asked = {"content": "The code is 4711", "expires_at": "2030-01-01", "idempotency_key": "k"}
    (first,) = (await memory.remember(**asked)).results
    monkeypatch.setattr(
        "mem_mcp.operations.remember.utc_now", lambda: datetime(2031, 1, 1, tzinfo=UTC)
    )
    (again,) = (await memory.remember(**asked)).results
    assert (again.memory_id, again.event) == (first.memory_id, "ADD")
    for other in ({"idempotency_key": "other"}, {"idempotency_key": ""}, {"user_id": "bob"}):
        with pytest.raises(InvalidInput, match="in the past"):
            await memory.remember(**asked | other)
