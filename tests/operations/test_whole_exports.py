"""Whole exports: an import of one gives the same answers, and a second import changes nothing."""

from __future__ import annotations

import json
import random
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import ImportResult
from mem_mcp.evaluation.speed.fill import corpus_of
from mem_mcp.times import utc_now

USERS = ("default", "ann", "bob")
SCORES = "scores"
QUESTIONS = ("Where does Ann live?", "queue before deploys", "tea", "demo account", "the code")


async def filled(memory: AsyncMemory) -> dict[str, Any]:
    """Do some of everything; return what the answers are to be compared by."""
    kept: dict[str, Any] = {"ids": [], "recalls": [], "moments": []}
    for user in USERS:
        own = {"user_id": user}

        async def say(text: str, own: dict[str, Any] = own, **fields: Any) -> str:
            (one,) = (await memory.remember(text, **own, **fields)).results
            kept["ids"].append((user, one.memory_id))  # noqa: B023
            return one.memory_id

        moved = await say(f"Ann lives in Rome, says {user}", tags=["home"])
        drained = await say("Drain the queue befor deploys", kind="procedure")
        await say("The demo account is active", expires_at="2999-01-01", metadata={"k": {"n": 1}})
        gone = await say(f"the code of {user} is 4711")
        hidden = await say("tea is served cold")
        await say("tea is served warm", idempotency_key=f"key of {user}")
        await memory.remember(
            messages=[{"role": "user", "content": c, "name": "Ann"} for c in ("hi", "I like tea")],
            run_id="r",
            **own,
        )
        kept["moments"].append((await memory.get_memory(hidden, **own)).memory.recorded_at)
        await memory.update_memory(moved, content=f"Ann lives in Oslo, says {user}", **own)
        await memory.update_memory(moved, metadata={"since": 2026}, reason="she moved", **own)
        await memory.update_memory(drained, content="Drain the queue before deploys", **own)
        await memory.forget(gone, **own)
        await say(f"the code of {user} is 4711")
        await memory.give_feedback(hidden, "VERY_NEGATIVE", feedback_reason="wrong", **own)
        await memory.give_feedback(moved, "NEGATIVE", query="where does Ann live", **own)
        await memory.give_feedback(moved, "POSITIVE", query="where does Ann live", **own)
        found = await memory.recall("queue before deploys", **own)
        kept["recalls"].append((user, found.recall_id, drained))
        done = await memory.record_outcome(
            "Deploy the shop", outcome="success", tool_name="kubectl", lesson="drain first",
            used_memory_ids=[drained], task_type="deploy", **own,
        )  # fmt: skip
        kept["ids"].append((user, done.memory_id))
    (last,) = (await memory.remember("Lunch is at noon", user_id="global")).results
    stored = (await memory.get_memory(last.memory_id, user_id="global")).memory
    kept["moments"] += [stored.recorded_at, utc_now()]
    return kept


async def answers(
    memory: AsyncMemory, kept: dict[str, Any], questions: Sequence[str] = QUESTIONS
) -> dict[str, Any]:
    """Ask every tool; return what it answers, without what is drawn anew each time.

    Of answers as of now it leaves the scores out, which fall with each second.
    """
    said: dict[str, Any] = {}
    for user, memory_id in kept["ids"]:
        got = await memory.get_memory(memory_id, user_id=user, history=True)
        said[f"get {memory_id}"] = got.model_dump(mode="json")
    for user in (*USERS, "global"):
        for filters in (None, {"superseded_at": {"exists": True}}, {"status": "deleted"}):
            listed = await memory.list_memories(user_id=user, filters=filters, limit=200)
            said[f"list {user} {filters}"] = listed.model_dump(mode="json")
        for question in questions:
            for moment in (None, *kept["moments"]):
                found = await memory.recall(question, user_id=user, as_of=moment, explain=True)
                name = f"recall {user} {question} {moment}"
                said[name] = [
                    one.model_dump(mode="json", exclude={"score", "scores"})
                    for one in found.memories
                ]
                if moment is not None:
                    said[f"{SCORES} of {name}"] = [one.score for one in found.memories]
        lessons = await memory.recall_lessons("Deploy the shop", user_id=user)
        said[f"lessons {user}"] = (
            [one.memory_id for one in (*lessons.successes, *lessons.failures, *lessons.lessons)],
            [one.model_dump(mode="json") for one in lessons.tool_stats],
        )
        again = await memory.remember(
            "tea is served warm", user_id=user, idempotency_key=f"key of {user}"
        ) if user != "global" else None  # fmt: skip
        said[f"key {user}"] = again and again.results[0].model_dump(
            mode="json", exclude={"similar"}
        )
    return said


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what is answered otherwise; a vector made anew differs in its last digit."""
    return [
        name
        for name in {**before, **after}
        if before.get(name)
        != (pytest.approx(after.get(name), abs=1e-5) if SCORES in name else after.get(name))
    ]


async def whys(memory: AsyncMemory, kept: dict[str, Any]) -> list[Any]:
    return [
        (await memory.why(recall_id, memory_id, user_id=user)).verdict
        for user, recall_id, memory_id in kept["recalls"]
    ]


async def export(memory: AsyncMemory, **asked: Any) -> list[bytes]:
    return [line.encode() async for line in memory.export_lines(**asked)]


def counts(result: ImportResult) -> tuple[int, int]:
    assert result.errors == []
    return result.imported, result.duplicates


@pytest.mark.anyio
@pytest.mark.slow
async def test_every_tool_answers_as_before_also_after_a_second_import(
    memory: AsyncMemory, tmp_path: Path
):
    kept = await filled(memory)
    lines = await export(memory, traces=True)
    before, because = await answers(memory, kept), await whys(memory, kept)
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        for expected in ("new", "known"):
            imported, known = counts(await copy.import_lines(lines))
            assert (imported == 0, known == 0) == (expected == "known", expected == "new")
            assert differences(before, await answers(copy, kept)) == []
            assert await whys(copy, kept) == because
        assert (await export(copy))[1:] == (await export(memory))[1:]


@pytest.mark.full
@pytest.mark.anyio
async def test_every_tool_answers_as_before_also_from_twenty_thousand_rows(
    memory: AsyncMemory, tmp_path: Path
):
    kept = await filled(memory)
    chance, bulk = random.Random(1), corpus_of(None, seed=3)
    for start in range(0, 20_000, 500):
        items = [
            {"content": f"{bulk.utterance(number).text} ({number})", "user_id": USERS[number % 3]}
            for number in range(start, start + 500)
        ]
        done = (await memory.remember_many(items)).results
        for item, one in chance.sample([*zip(items, done, strict=True)], 5):
            own = {"user_id": item["user_id"]}
            kept["ids"].append((item["user_id"], one.memory_id))
            await memory.update_memory(one.memory_id, tags=["seen"], **own)
            await memory.give_feedback(
                one.memory_id, chance.choice(["POSITIVE", "NEGATIVE"]), **own
            )
            await memory.record_outcome(
                "Deploy the shop", outcome="success", used_memory_ids=[one.memory_id], **own
            )
    kept["moments"] = [kept["moments"][0], utc_now()]
    # As it goes by itself every so many writes: words are rated by what the index holds.
    await memory.maintain()
    lines = await export(memory, traces=True)
    assert len(lines) > 20_000
    questions = [*QUESTIONS, *bulk.questions[:40]]
    before, because = await answers(memory, kept, questions), await whys(memory, kept)
    for expected in ("new", "known"):
        async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
            imported, known = counts(await copy.import_lines(lines))
            assert (imported == 0, known == 0) == (expected == "known", expected == "new")
        async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
            assert differences(before, await answers(copy, kept, questions)) == []
            assert await whys(copy, kept) == because


@pytest.mark.anyio
async def test_an_import_adds_what_is_missing_and_names_what_was_changed_otherwise(
    memory: AsyncMemory, tmp_path: Path
):
    same = (await memory.remember("Ann likes tea")).results[0].memory_id
    first = await export(memory)
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        counts(await copy.import_lines(first))
        await memory.update_memory(same, content="Ann likes rum")
        await memory.remember("Bo likes gin")
        assert counts(await copy.import_lines(await export(memory))) == (2, 1)
        (one,) = (m for m in (await copy.list_memories()).memories if m.memory_id == same)
        assert (one.text, one.version) == ("Ann likes rum", 2)

        await memory.update_memory(same, content="Ann likes wine")
        await copy.update_memory(same, content="Ann likes beer")
        await memory.remember("Cy likes ale")
        result = await copy.import_lines(await export(memory))
        assert result.imported == 1
        (error,) = result.errors
        assert f"version 3 of memory '{same}' is another one here" in error.error
        assert (await copy.get_memory(same)).memory.text == "Ann likes beer"


@pytest.mark.anyio
async def test_a_text_that_was_said_in_both_stores_is_one_memory_with_the_values_of_both(
    memory: AsyncMemory, tmp_path: Path
):
    await memory.remember("Ann likes tea", tags=["there"])
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        await copy.remember("Ann likes tea", tags=["here"])
        for _ in range(2):
            assert counts(await copy.import_lines(await export(memory))) == (0, 1)
        (one,) = (await copy.list_memories()).memories
        assert (one.tags, one.version) == (["here", "there"], 2)


@pytest.mark.anyio
async def test_a_message_whose_place_is_taken_by_another_text_is_named_and_left_out(
    memory: AsyncMemory, tmp_path: Path
):
    told = [{"role": "user", "content": text} for text in ("hi", "I like tea", "bye")]
    await memory.remember(messages=told, run_id="r")
    lines = await export(memory)
    renamed = [
        json.dumps(
            {
                **one,
                "memory_id": f"other{one['position']}",
                "version_id": f"other{one['position']}.1",
                "text": one["text"].replace("tea", "rum"),
            }
        ).encode()
        for one in map(json.loads, lines[1:])
    ]
    result = await memory.import_lines([lines[0], *renamed])
    assert (result.imported, result.duplicates) == (0, 2)
    (error,) = result.errors
    assert "position: 1 of this run is taken by another message" in error.error
    assert (await memory.list_memories()).total == 3
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines([*lines, *renamed])
        assert result.imported == 3
        assert [error.line for error in result.errors] == [6]
        assert (await copy.list_memories()).total == 3


@pytest.mark.anyio
async def test_an_export_may_be_of_some(memory: AsyncMemory):
    await memory.remember("old", user_id="ann")
    moment = (await memory.remember("changed", user_id="ann")).results[0].memory_id
    await memory.remember("a procedure", kind="procedure", user_id="bob")
    newest = (await memory.get_memory(moment, user_id="ann")).memory.recorded_at
    await memory.update_memory(moment, content="changed since", user_id="ann")

    async def texts(**asked: Any) -> list[str]:
        return [json.loads(line).get("text", "") for line in await export(memory, **asked)][1:]

    assert await texts(kinds="procedure") == ["a procedure"]
    assert await texts(user_id="bob") == ["a procedure"]
    assert await texts(user_id="ann", since=newest) == ["changed", "changed since"]
    assert await texts(user_id="nobody") == []


def edited(lines: list[bytes], text: str, **fields: Any) -> list[bytes]:
    """Return lines in which those with a text have other fields; None leaves a field out."""
    changed = []
    for line in lines:
        one = json.loads(line)
        if one.get("text") == text:
            one = {name: value for name, value in {**one, **fields}.items() if value is not None}
        changed.append(json.dumps(one).encode())
    return changed


async def versions_of(memory: AsyncMemory) -> list[tuple[int, str, bool]]:
    (one,) = (await memory.list_memories()).memories
    history = (await memory.get_memory(one.memory_id, history=True)).versions
    return [(each.version, each.text, each.superseded_at is None) for each in history]


@pytest.fixture
async def three(memory: AsyncMemory) -> list[bytes]:
    """Return the export of a memory with three versions."""
    memory_id = (await memory.remember("one")).results[0].memory_id
    await memory.update_memory(memory_id, content="two")
    await memory.update_memory(memory_id, content="three")
    return await export(memory)


@pytest.mark.anyio
async def test_a_gap_is_named_and_the_rest_is_there(three: list[bytes], tmp_path: Path):
    lines = [line for line in three if json.loads(line).get("text") != "two"]
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines(lines)
        assert [error.error for error in result.errors] == ["version: version 2 is missing"]
        assert await versions_of(copy) == [(1, "one", False), (3, "three", True)]
        assert counts(await copy.import_lines(three)) == (1, 2)
        assert await versions_of(copy) == [
            (1, "one", False), (2, "two", False), (3, "three", True),
        ]  # fmt: skip


@pytest.mark.anyio
async def test_a_file_that_was_cut_leaves_the_last_version_current(
    three: list[bytes], tmp_path: Path
):
    whole = b"\n".join(three)
    cut = whole[: whole.index(b'"text": "three"') + 5]
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines(cut.split(b"\n"))
        assert [error.line for error in result.errors] == [3, 4]
        assert await versions_of(copy) == [(1, "one", False), (2, "two", True)]
        assert counts(await copy.import_lines(three)) == (1, 2)
        assert await versions_of(copy) == [
            (1, "one", False), (2, "two", False), (3, "three", True),
        ]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"superseded_at": None}, "superseded_at: is missing"),
        ({"superseded_at": "2000-01-01T00:00:00Z"}, "superseded_at: is before recorded_at"),
        ({"recorded_at": "2000-01-01T00:00:00Z"}, "recorded_at: is not after"),
        ({"version_id": "other.2"}, "version_id: is not"),
        ({"version": "two"}, "version: must be"),
        ({"version": 0}, "version: must be"),
        ({"event": "BORN"}, "event: 'BORN' is not one of"),
        ({"memory_id": None}, "memory_id: is missing"),
        ({"nonsense": 1}, "nonsense: no such field"),
    ],
)
async def test_a_line_that_cannot_be_true_is_named_and_skipped(
    three: list[bytes], tmp_path: Path, fields: dict[str, Any], named: str
):
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines(edited(three, "two", **fields))
        assert result.imported == 2
        assert named in result.errors[0].error
        assert await versions_of(copy) == [(1, "one", False), (3, "three", True)]


@pytest.mark.anyio
async def test_a_version_that_is_given_twice_counts_once(three: list[bytes], tmp_path: Path):
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines([*three[:3], three[2], three[3]])
        assert (result.imported, [error.line for error in result.errors]) == (3, [4])
        assert len(await versions_of(copy)) == 3


@pytest.mark.anyio
async def test_joined_exports_are_imported_each_version_once(three: list[bytes], tmp_path: Path):
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        plain = json.dumps({"text": "of another program"}).encode()
        marked = BOM_UTF8 + three[0]
        assert counts(await copy.import_lines([marked, *three[1:], marked, *three[1:]])) == (3, 3)
        assert counts(await copy.import_lines([plain, *three])) == (1, 3)
        assert (await copy.list_memories()).total == 2


@pytest.mark.anyio
async def test_an_export_without_its_header_brings_no_earlier_version_back_as_a_current_one(
    three: list[bytes], tmp_path: Path
):
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines(three[1:])
        assert result.imported == 1
        assert [error.line for error in result.errors] == [1, 2]
        assert "header" in result.errors[0].error
        assert await versions_of(copy) == [(1, "three", True)]


@pytest.mark.anyio
async def test_a_file_of_a_newer_version_is_refused_whole(three: list[bytes], tmp_path: Path):
    header = {**json.loads(three[0]), "version": 3}
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        result = await copy.import_lines([json.dumps(header).encode(), *three[1:]])
        (error,) = result.errors
        assert "newer mem-mcp" in error.error
        assert (result.imported, (await copy.list_memories()).total) == (0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"feedback": 1}, "feedback"),
        ({"feedback": {"memory_id": "m"}}, "feedback.owner"),
        ({"feedback": {"memory_id": "m", "owner": "u", "rating": "GOOD"}}, "feedback.rating"),
        ({"trace": {"recall_id": "r", "tool": "recall"}}, "trace.user_id"),
        ({"trace": {"arguments": "{"}}, "trace.arguments"),
        ({"trace": {"relevance": "{"}}, "trace.relevance"),
        ({"trace": {"relevance": '{"a": NaN}'}}, "trace.relevance"),
    ],
)
async def test_a_mark_or_a_recall_that_is_wrong_is_named(
    memory: AsyncMemory, line: dict[str, Any], named: str
):
    (header,) = await export(memory)
    result = await memory.import_lines([header, json.dumps(line).encode()])
    assert [named in error.error for error in result.errors] == [True]
