"""Purge means gone: no byte in any file, also where processes die, share the store or quote it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from llm_server import LLMServer, failing

from mem_mcp import AsyncMemory, Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.store import announce_erasure, erasure
from mem_mcp.store.lance_files import manifest_files, read_manifest, table_folders

pytestmark = pytest.mark.anyio

SECRET = "Zanzibar keeps the quixotic ledger of Håkon ที่บ้านเลขที่เจ็ด"
PIECES = ["Zanzibar", "zanzibar", "quixot", "Håkon", "hakon", "ที่บ้านเลขที่เจ็ด", "ledger of"]


def hits(folder: Path, pieces: list[str]) -> list[tuple[str, str]]:
    """Where bytes of some texts are found, also as JSON writes them and in UTF-16."""
    forms = {
        (piece, form)
        for piece in pieces
        for form in (piece.encode(), json.dumps(piece)[1:-1].encode(), piece.encode("utf-16-le"))
    }
    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return [(n, piece) for n, content in contents.items() for piece, f in forms if f in content]


def leftovers(folder: Path) -> list[str]:
    """Files that may hold what no row holds: LanceDB may have compressed it beyond a search."""
    left = []
    for table in table_folders(folder):
        files = manifest_files(table)
        left += [str(path) for _, path in files[1:]]
        manifest = read_manifest(files[0][1], files[0][0])
        left += [f"{each.number} of {table}" for each in manifest.fragments if each.deletions]
        named = {table / part.path for each in manifest.fragments for part in each.parts}
        left += [str(path) for path in (table / "data").iterdir() if path not in named]
        indices = {table / place for place in manifest.index_folders}
        if (table / "_indices").exists():
            left += [str(path) for path in (table / "_indices").iterdir() if path not in indices]
    return left


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[AsyncMemory]:
    """Another process on the store, as far as locks can tell."""
    async with AsyncMemory.open(settings) as opened:
        yield opened


async def tell(memory: AsyncMemory, text: str = SECRET, **more: object) -> str:
    (one,) = (await memory.remember(text, **more)).results
    return one.memory_id


async def fill(memory: AsyncMemory) -> list[str]:
    """Store the secret among other texts, with versions, marks and recalls that hold it."""
    others = [await tell(memory, f"Fact {n} about the harbour", tags=["sea"]) for n in range(12)]
    known = await tell(
        memory, entities=["Håkon"], tags=["quixotic"], metadata={"about": "Zanzibar"}
    )
    await memory.maintain()
    await memory.update_memory(known, content=f"{SECRET}, and another one")
    await memory.update_memory(known, content=SECRET, reason="Zanzibar after all")
    await memory.give_feedback(known, "POSITIVE", feedback_reason=SECRET, query=SECRET)
    await memory.give_feedback(others[0], "POSITIVE", query=f"Is it true: {SECRET}?")
    await memory.recall(SECRET)
    await memory.recall_lessons(f"find out whether {SECRET}")
    await memory.forget(await tell(memory, "Fact to be forgotten"))
    return [known, *others]


async def test_no_byte_of_a_purged_text_is_left_in_any_file(
    memory: AsyncMemory, settings: Settings
):
    known, *others = await fill(memory)
    assert hits(settings.data_dir, PIECES)
    indices = {path.name for path in settings.data_dir.glob("*/_indices/*")}
    result = await memory.forget(known, purge=True)
    assert (result.gone_by, result.degraded) == (None, [])
    assert hits(settings.data_dir, PIECES) == []
    assert leftovers(settings.data_dir) == []
    assert not indices & {path.name for path in settings.data_dir.glob("*/_indices/*")}
    listed = await memory.list_memories(limit=50)
    assert {one.memory_id for one in listed.memories} == {*others}
    assert (await memory.recall("harbour fact 3")).memories[0].memory_id == others[3]
    # The mark on another memory stays; the question that quoted the secret does not.
    assert [mark.query for mark in await memory._runtime.ratings.on([others[0]])] == [""]


async def test_memories_that_quote_a_purged_text_are_named(memory: AsyncMemory):
    known = await tell(memory)
    saying = await tell(memory, f"Ann said: {SECRET}")
    (again,) = (await memory.remember(SECRET, kind="procedure")).results
    judged = await memory.record_outcome("count it", outcome="failure", logs=[f"log\n{SECRET}"])
    await tell(memory, f"Ann said: {SECRET}", user_id="another")
    await tell(memory, "Nothing to do with it")
    result = await memory.forget(known, purge=True)
    (note,) = result.degraded
    assert note.endswith(", ".join(sorted([saying, again.memory_id, judged.memory_id])))
    short = await tell(memory, "tea")
    assert (await memory.forget(short, purge=True)).degraded == []


async def test_while_others_have_the_store_open_the_answer_says_until_when_and_it_holds(
    memory: AsyncMemory,
    other: AsyncMemory,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
):
    known, *others = await fill(memory)
    result = await memory.forget(known, purge=True)
    assert result.gone_by is not None
    assert "leave the disk by" in result.degraded[0]
    assert hits(settings.data_dir, PIECES)
    await other._upkeep._erasure.resume()
    assert hits(settings.data_dir, PIECES)  # its time has not come
    monkeypatch.setattr(erasure, "KEEP_FOR_OTHERS", timedelta(0))
    await tell(other, "Said meanwhile")
    await other._upkeep._erasure.resume()
    assert hits(settings.data_dir, PIECES) == []
    assert not (settings.data_dir / "locks" / "erasing").exists()
    for one in (memory, other):
        assert {*others} < {each.memory_id for each in (await one.list_memories()).memories}
        assert (await one.recall("harbour fact 3")).memories[0].memory_id == others[3]
        await tell(one, f"Said afterwards {id(one)}")


async def test_the_last_process_to_leave_takes_it_away(memory: AsyncMemory, settings: Settings):
    known, *_ = await fill(memory)
    async with AsyncMemory.open(settings) as leaving:
        assert (await leaving.forget(known, purge=True)).gone_by
    assert hits(settings.data_dir, PIECES)
    await memory._upkeep._erasure.resume()
    assert hits(settings.data_dir, PIECES) == []


async def test_what_a_killed_process_had_purged_goes_when_the_store_is_opened_again(
    settings: Settings,
):
    async with AsyncMemory.open(settings) as memory:
        known = await tell(memory)
        await tell(memory, "Something else")
        await memory.maintain()
        await memory._runtime.store.delete({"memory_id": known})
    assert hits(settings.data_dir, PIECES)
    async with AsyncMemory.open(settings) as memory:
        await announce_erasure(memory._runtime.store)
    assert hits(settings.data_dir, PIECES) == []
    assert leftovers(settings.data_dir) == []


async def test_what_a_killed_writer_left_goes_with_a_purge(memory: AsyncMemory, settings: Settings):
    known = await tell(memory)
    (file,) = (settings.data_dir / "memories.lance" / "data").iterdir()
    shutil.copy(file, file.with_name("1" * 24 + "abcdef0123456789abcdef0123.lance"))
    await memory.forget(known, purge=True)
    assert hits(settings.data_dir, PIECES) == []


async def test_the_copy_that_a_repair_made_is_named(memory: AsyncMemory, settings: Settings):
    known = await tell(memory)
    (settings.data_dir / "damaged-20260101T000000Z").mkdir()
    (note,) = (await memory.forget(known, purge=True)).degraded
    assert "damaged-20260101T000000Z is as it was before a repair; remove it" in note


async def test_purges_and_writes_at_once_lose_nothing(
    memory: AsyncMemory, other: AsyncMemory, settings: Settings
):
    known = [await tell(memory, f"{SECRET} number {n}") for n in range(4)]
    kept = await asyncio.gather(
        *(tell(one, f"Kept {n} of {id(one)}") for n in range(6) for one in (memory, other)),
        *(memory.forget(one, purge=True) for one in known[:2]),
        *(other.forget(one, purge=True) for one in known[2:]),
    )
    ids = {one for one in kept if isinstance(one, str)}
    assert {one.memory_id for one in (await other.list_memories(limit=50)).memories} == ids
    assert await memory.examine() == []


async def test_a_dry_run_and_an_unknown_id_erase_nothing(memory: AsyncMemory, settings: Settings):
    await tell(memory, tags=["x"])
    assert (await memory.forget(filters={"tags": "x"}, purge=True)).dry_run
    assert not (settings.data_dir / "locks" / "erasing").exists()


async def exported(memory: AsyncMemory, user: str) -> list[str]:
    return [line async for line in memory.export_lines(user_id=user, traces=True)][1:]


async def test_everything_of_a_user_is_erased_and_the_receipt_counts_it(
    settings: Settings, server: LLMServer
):
    server.always(failing(500))
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0}
    with_model = settings.model_copy(update={"llm": settings.llm.model_copy(update=llm)})
    talk = [{"role": "user", "content": f"I know that {SECRET}"}]
    async with AsyncMemory.open(with_model) as memory:
        for user in ("ann-of-zanzibar", "bob"):
            mine = await tell(memory, f"{user} has {SECRET}", user_id=user)
            await memory.update_memory(mine, content=f"{user} had {SECRET}", user_id=user)
            await memory.remember(messages=talk, user_id=user, run_id="r1")
            await memory.recall(f"{user} {SECRET}", user_id=user)
            await memory.record_outcome(f"{user} counts", outcome="failure", user_id=user)
            await memory.give_feedback(mine, "NEGATIVE", feedback_reason=SECRET, user_id=user)
        shared = await tell(memory, "The sea is wide", user_id="bob")
        await memory._runtime.traces.flush()
        before = await exported(memory, "bob")
        dry = await memory.erase_user("ann-of-zanzibar", dry_run=True)
        assert dry.dry_run
        assert hits(settings.data_dir, ["ann-of-zanzibar"])
        receipt = await memory.erase_user("ann-of-zanzibar")
        assert receipt.memories == {"fact": 1, "message": 1, "outcome": 1}
        assert (receipt.versions, receipt.pending) == (dry.versions, 1)
        assert (receipt.marks, receipt.recalls, receipt.shared) == (1, 1, 0)
        assert (receipt.gone_by, receipt.degraded) == (None, [])
        assert SECRET not in receipt.model_dump_json()
        assert hits(settings.data_dir, ["ann-of-zanzibar", "of-zanzibar"]) == []
        assert leftovers(settings.data_dir) == []
        assert await exported(memory, "bob") == before
        assert (await memory.get_memory(shared, user_id="bob")).memory.text == "The sea is wide"
        again = await memory.erase_user("ann-of-zanzibar")
        assert (again.memories, again.versions, again.marks, again.recalls) == ({}, 0, 0, 0)


async def test_what_a_user_wrote_for_all_stays_unless_it_is_meant(memory: AsyncMemory):
    await memory.record_outcome(
        "deploy", outcome="failure", lesson="Wait for it", user_scope="global", user_id="ann"
    )
    assert (await memory.erase_user("ann", dry_run=True)).shared == 1
    kept = await memory.erase_user("ann")
    assert (kept.shared, kept.shared_erased) == (1, False)
    assert (await memory.list_memories(user_id="global")).total == 1
    assert (await memory.erase_user("ann", shared=True)).shared_erased
    assert (await memory.list_memories(user_id="global")).total == 0


@pytest.mark.parametrize("user", ["global", "", " "])
async def test_only_one_user_is_erased(memory: AsyncMemory, user: str):
    with pytest.raises(InvalidInput, match="user"):
        await memory.erase_user(user)
