"""Damaged stores: what can be read is served and exported, and a repair saves what can be saved."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mem_mcp import AsyncMemory, Settings
from mem_mcp.cli import doctor
from mem_mcp.cli.app import app
from mem_mcp.errors import StoreError
from mem_mcp.store import repair
from mem_mcp.store.damage.survey import damages

pytestmark = pytest.mark.anyio
FACTS = [f"Server {name} runs in {city}." for name, city in
         zip("abcdef", ("Oslo", "Graz", "Lyon", "Bari", "Cork", "Nara"), strict=True)]  # fmt: skip
REPAIR = "mem-mcp doctor --repair"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def lived(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as a session leaves it: a file for each commit."""
    folder = tmp_path_factory.mktemp("lived") / "memory"
    async with AsyncMemory.open(Settings(data_dir=folder)) as memory:
        ids = []
        for number, fact in enumerate(FACTS):
            stored = await memory.remember(fact, tags=["ops"], metadata={"n": number})
            ids.append(stored.results[0].memory_id)
        found = await memory.recall("Which server runs in Oslo?")
        await memory.give_feedback(ids[0], "POSITIVE", recall_id=found.recall_id)
        await memory.record_outcome("Move server b", "success", used_memory_ids=[ids[1]])
        await memory.update_memory(ids[2], content="Server c runs in Rome.")
    return folder


@pytest.fixture(scope="session")
async def tidy(lived: Path) -> Path:
    """The same after maintenance: one version, and all rows in one file."""
    folder = lived.with_name("tidy")
    shutil.copytree(lived, folder)
    async with AsyncMemory.open(Settings(data_dir=folder)) as memory:
        assert (await memory.maintain()).ran
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    def copy(store: Path) -> Path:
        return Path(shutil.copytree(store, tmp_path / "memory", dirs_exist_ok=True))

    return copy


def newest_manifest(store: Path, table: str = "memories") -> Path:
    return min((store / f"{table}.lance" / "_versions").glob("*.manifest"))


def newest_data(store: Path, table: str = "memories") -> Path:
    files = (store / f"{table}.lance" / "data").glob("*.lance")
    return max(files, key=lambda file: file.stat().st_mtime_ns)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garbled(path: Path) -> None:
    """Make a file of its size whose end, which describes the rest, is wrong."""
    content = bytearray(path.read_bytes())
    for place in range(len(content) * 3 // 4, len(content) * 3 // 4 + 64):
        content[place] ^= 0xFF
    path.write_bytes(content)


def damaged_at_random(store: Path, chance: random.Random) -> Path:
    files = sorted(p for p in store.rglob("*") if p.is_file() and "locks" not in p.parts)
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    match chance.choice(["gone", "empty", "cut", "flipped", "flipped"]):
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: chance.randrange(len(content))])
        case _:
            start = chance.randrange(len(content))
            for place in range(start, min(start + 64, len(content))):
                content[place] ^= chance.randrange(1, 256)
            path.write_bytes(content)
    return path


def command(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mem_mcp", *arguments],
        env={**os.environ, "MEM_MCP_DATA_DIR": str(store)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr + done.stdout
    return done


async def texts(memory: AsyncMemory) -> set[str]:
    return {one.text for one in (await memory.list_memories(limit=200)).memories}


async def exported(memory: AsyncMemory) -> set[str]:
    lines = [json.loads(line) async for line in memory.export_lines()]
    return {line["text"] for line in lines if "memory_id" in line and "superseded_at" not in line}


async def everything(store: Path) -> set[str]:
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        return await texts(memory)


@pytest.mark.parametrize("number", range(10))
@pytest.mark.slow
async def test_a_store_damaged_in_any_one_file_is_served_and_then_mended(
    number: int, lived: Path, tidy: Path, copied: Callable[[Path], Path], tmp_path: Path
):
    for base, seed in [(lived, 3 * number), (lived, 3 * number + 1), (tidy, 3 * number + 2)]:
        shutil.rmtree(tmp_path / "memory", ignore_errors=True)
        store = copied(base)
        before = {*FACTS, "Server c runs in Rome.", "Move server b"} - {FACTS[2]}
        path = damaged_at_random(store, random.Random(seed))
        of_one_file = 2 if base is lived else len(before)
        may_miss = of_one_file if path.parent.name == "data" and "memories" in str(path) else 0
        async with AsyncMemory.open(Settings(data_dir=store)) as memory:
            found = await memory.recall("Which server runs in which city?", limit=50)
            served = await exported(memory)
        assert len(before - served) <= may_miss, (seed, path, before - served)
        assert {one.text for one in found.memories} <= served
        await repair(store)
        async with AsyncMemory.open(Settings(data_dir=store)) as memory:
            assert (await memory.recall("Which server runs in which city?")).degraded == []
            assert (await memory.remember("The pump is green.")).results[0].event == "ADD"
            if base is tidy:
                assert not await memory.examine()
                assert (await memory.maintain()).ran
            after = await texts(memory)
        assert len(before - after) <= may_miss, (seed, path, before - after)


async def test_an_index_that_cannot_be_read_is_made_anew(
    tidy: Path, tmp_path: Path, copied: Callable[[Path], Path]
):
    indices = tidy / "memories.lance" / "_indices"
    files = {path.name: path.relative_to(tidy) for path in sorted(indices.rglob("*.*"))}
    assert len(files) > 3
    for name in [*files.values()][::2]:
        shutil.rmtree(tmp_path / "memory", ignore_errors=True)
        store = copied(tidy)
        content = bytearray((store / name).read_bytes())
        content[-30:-20] = bytes(255 - byte for byte in content[-30:-20])
        (store / name).write_bytes(content)
        await repair(store)
        async with AsyncMemory.open(Settings(data_dir=store)) as memory:
            assert (await memory.maintain()).ran, name
            assert {*FACTS, "Server c runs in Rome."} - {FACTS[2]} <= await texts(memory), name


async def test_an_index_that_makes_lancedb_panic_is_served_around_and_made_anew(
    tidy: Path, copied: Callable[[Path], Path]
):
    store = copied(tidy)
    indices = (store / "memories.lance" / "_indices").rglob("bitmap_page_lookup.lance")
    (path,) = [path for path in indices if b"active" in path.read_bytes()]
    content = bytearray(path.read_bytes())
    start = content.index(b"\x3a\x30\x00\x00")  # of a bitmap, whose length stands before it
    content[start - 4 : start] = b"\xff\xff\xff\x36"
    path.write_bytes(content)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        assert (await memory.recall("Where does server a run?")).memories[0].text == FACTS[0]
        assert set(FACTS) - {FACTS[2]} <= await exported(memory)
        assert await memory.examine()
    assert (await repair(store)).tables[0].indices_rebuilt
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        assert not await memory.examine()
        assert (await memory.maintain()).ran
        assert set(FACTS) - {FACTS[2]} <= await texts(memory)


async def test_a_manifest_whose_list_of_indices_lancedb_cannot_read_counts_as_damaged(
    tidy: Path, copied: Callable[[Path], Path]
):
    store = copied(tidy)
    path = newest_manifest(store)
    content = path.read_bytes()
    assert b"/lance.table." in content
    path.write_bytes(content.replace(b"/lance.table.", b"\xfflance.table."))
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        assert (await memory.recall("Where does server a run?")).memories[0].text == FACTS[0]
    await repair(store)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        assert set(FACTS) - {FACTS[2]} <= await texts(memory)
        assert not await memory.examine()


@pytest.mark.parametrize(
    ("harm", "target"),
    [
        *((harm, newest_manifest) for harm in (emptied, cut, Path.unlink)),
        *((harm, newest_data) for harm in (emptied, cut, Path.unlink, garbled)),
    ],
)
async def test_the_newest_commit_damaged_loses_no_earlier_one(
    harm: Callable[[Path], None],
    target: Callable[[Path], Path],
    lived: Path,
    copied: Callable[[Path], Path],
):
    store = copied(lived)
    harm(target(store))
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        found = await memory.recall("Where does server a run?")
        assert found.memories[0].text == FACTS[0]
        (note,) = found.degraded
        assert str(store / "memories.lance") in note
        assert note.endswith(REPAIR)
        assert "rustc" not in note
        with pytest.raises(StoreError, match="nothing can be stored"):
            await memory.remember("The pump is green.")
        assert not (await memory.maintain()).ran
    done = await repair(store)
    assert done.copy_at is not None
    assert [table.table for table in done.tables] == ["memories"]
    after = await everything(store)
    if target is newest_manifest:  # its rows are in a file that nothing names any more
        assert done.tables[0].versions_lost == 1
        assert done.tables[0].back_to is not None
        assert "Server c runs in Rome." in after
    else:
        assert FACTS[2] in after
    assert set(FACTS) - {FACTS[2]} <= after


async def test_what_was_confirmed_and_cannot_be_put_back_is_named(
    lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        (new,) = (await memory.remember("The pump is green.")).results
    newest_manifest(store).write_bytes(b"")
    newest_data(store).write_bytes(b"")
    done = command(store, "doctor", "--repair")
    assert done.returncode == 0
    assert f"lost what was last stored of 1 memory: {new.memory_id}\n" in done.stdout
    cut(newest_manifest(store))  # the numbers of commits that are gone are given anew
    (mended,) = (await repair(store)).tables
    assert mended.memories_lost == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
async def test_what_was_forgotten_last_stays_so_wherever_its_manifest_is_garbled(
    share: float, lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        (known,) = (await memory.remember(FACTS[0])).results
        await memory.forget(known.memory_id)
    path = newest_manifest(store)
    content = bytearray(path.read_bytes())
    start = int(len(content) * share)
    content[start : start + 8] = bytes(255 - byte for byte in content[start : start + 8])
    path.write_bytes(content)
    assert FACTS[0] not in await everything(store)
    assert not any(one.memories_lost for one in (await repair(store)).tables)
    assert FACTS[0] not in await everything(store)


async def test_what_is_put_back_is_whole_with_its_history_and_fields(
    tidy: Path, copied: Callable[[Path], Path]
):
    store = copied(tidy)
    emptied(newest_manifest(store))
    await repair(store)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        listed = await memory.list_memories(filters={"metadata.n": 2, "tags": {"contains": "ops"}})
        (one,) = listed.memories
        history = await memory.get_memory(one.memory_id, history=True)
        assert [v.text for v in history.versions] == [FACTS[2], "Server c runs in Rome."]
        assert history.versions[0].superseded_at is not None
        stats = await memory.stats()
        assert (stats.memories, stats.versions, stats.without_vector) == (7, 8, 0)
        assert stats.learning.feedback.positive == 1


async def test_a_damaged_column_of_the_only_file_costs_that_column(
    tidy: Path, copied: Callable[[Path], Path]
):
    store = copied(tidy)
    path = newest_data(store)
    content = bytearray(path.read_bytes())
    place = content.find(b"Server c runs in Rome.")
    assert place < 0 or content  # texts are compressed or not: the damage is where vectors are
    for at in range(2_000, 2_064):
        content[at] ^= 0xA5
    path.write_bytes(content)
    await repair(store)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        await memory.maintain()
        assert set(FACTS) - {FACTS[2]} <= await texts(memory)


@pytest.mark.parametrize("table", ["feedback", "traces"])
@pytest.mark.parametrize("harm", [emptied, Path.unlink])
async def test_a_damaged_log_stops_neither_reading_nor_writing_memories(
    table: str, harm: Callable[[Path], None], lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    harm(newest_data(store, table))
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        found = await memory.recall("Where does server a run?")
        assert found.memories[0].text == FACTS[0]
        assert table in found.degraded[0]
        assert (await memory.remember("The pump is green.")).results[0].event == "ADD"
        await memory.stats()
        assert not (await memory.maintain()).ran
    assert [each.table for each in (await repair(store)).tables] == [table]
    assert "The pump is green." in await everything(store)


async def test_damage_that_only_a_read_shows_is_served_around_by_a_running_process(
    lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        garbled(newest_data(store))
        garbled(newest_data(store, "feedback"))
        found = await memory.recall("Where does server a run?")
        assert found.memories[0].text == FACTS[0]
        assert len(found.degraded) == 2
        assert set(FACTS) - {FACTS[2]} <= await exported(memory)
        assert memory.damage


async def test_maintenance_removes_nothing_of_a_damaged_store(
    lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        garbled(newest_data(store))
        files = sorted((store / "memories.lance" / "data").iterdir())
        versions = len([*(store / "memories.lance" / "_versions").iterdir()])
        with pytest.raises(StoreError):
            await memory.maintain()
    assert set(files) <= set((store / "memories.lance" / "data").iterdir())
    assert len([*(store / "memories.lance" / "_versions").iterdir()]) >= versions


@pytest.mark.parametrize("name", ["write", "create", "maintained", "commits", "alive-1-x"])
async def test_a_file_of_locks_may_hold_anything(
    name: str, lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    (store / "locks" / name).write_bytes(b"\xff\x00 garbage 99999999999999999999")
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        await memory.remember("The pump is green.")
        assert (await memory.maintain()).ran
        assert len(await texts(memory)) == 8


async def test_a_lock_that_is_a_folder_is_named(lived: Path, copied: Callable[[Path], Path]):
    store = copied(lived)
    (store / "locks" / "write").unlink()
    (store / "locks" / "write").mkdir()
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        assert len(await texts(memory)) == 7
        with pytest.raises(StoreError, match=r"locks/write' is a folder.*remove it"):
            await memory.remember("The pump is green.")


async def test_a_store_is_repaired_by_nobody_but_its_only_process(
    lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    emptied(newest_manifest(store))
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        with pytest.raises(StoreError, match="another mem-mcp process"):
            await repair(store)
        assert len(await texts(memory)) == 7
    assert damages(store)


async def test_an_interrupted_repair_is_refused_and_ended_by_the_next(
    lived: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
):
    store = copied(lived)
    emptied(newest_manifest(store))
    copy = store / "damaged-1"
    shutil.copytree(store / "memories.lance", copy / "memories.lance")
    (store / "repair-unfinished").write_text("damaged-1")
    shutil.rmtree(store / "memories.lance")  # as a crash may leave it
    with pytest.raises(StoreError, match="interrupted"):
        await everything(store)
    await repair(store)
    assert set(FACTS) - {FACTS[2]} <= await everything(store)


@pytest.mark.parametrize("marker", [b"\xff\xfe", b"", b"..", b"damaged-of-another-store"])
async def test_a_marker_of_an_unfinished_repair_may_hold_anything(
    marker: bytes, lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    (store / "repair-unfinished").write_bytes(marker)
    assert (await repair(store)).tables == []
    assert len(await everything(store)) == 7


async def test_a_repair_of_a_whole_store_changes_nothing(
    lived: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    before = {p: p.stat().st_mtime_ns for p in (store / "memories.lance").rglob("*")}
    done = await repair(store)
    assert (done.copy_at, done.tables) == (None, [])
    assert before == {p: p.stat().st_mtime_ns for p in (store / "memories.lance").rglob("*")}
    assert not [*store.glob("damaged-*")]


async def test_a_repair_that_fails_leaves_the_store_as_it_was(
    lived: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
):
    store = copied(lived)
    emptied(newest_manifest(store))

    async def full(*_: Any) -> list[Any]:
        shutil.rmtree(store / "memories.lance")
        raise StoreError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[repair.__module__], "mend", full)
        with pytest.raises(StoreError, match="no space"):
            await repair(store)
    assert newest_manifest(store).stat().st_size == 0
    assert len((await repair(store)).tables) == 1


@pytest.mark.slow
def test_the_commands_on_a_damaged_store_end_well(
    lived: Path, tmp_path: Path, copied: Callable[[Path], Path]
):
    store = copied(lived)
    emptied(newest_manifest(store))
    recalled = command(store, "recall", "Where does server a run?")
    assert recalled.returncode == 0
    assert FACTS[0] in recalled.stdout
    assert REPAIR in recalled.stderr

    file = tmp_path / "out.jsonl"
    saved = command(store, "export", str(file))
    assert saved.returncode == 1
    saved_lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({line["memory_id"] for line in saved_lines if "memory_id" in line}) == 7
    assert str(newest_manifest(store)) in saved.stderr

    refused = command(store, "remember", "The pump is green.")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert str(newest_manifest(store)) in line
    assert line.endswith(REPAIR)

    found = json.loads(command(store, "doctor", "--json").stdout)
    (failed,) = [check for check in found["checks"] if not check["ok"]]
    assert failed["name"] == "store"
    assert failed["remedy"] == f"run: {REPAIR}"

    mended = command(store, "doctor", "--repair")
    assert mended.returncode == 0
    assert str(store / "damaged-") in mended.stdout
    assert "1 commit" in mended.stdout
    assert command(store, "remember", "The pump is green.").returncode == 0
    again = json.loads(command(store, "doctor", "--repair", "--json").stdout)
    assert (again["copy_at"], again["tables"]) == (None, [])


@pytest.mark.slow
def test_a_store_of_which_nothing_is_left_is_said_to_be_lost(
    tidy: Path, copied: Callable[[Path], Path]
):
    store = copied(tidy)
    emptied(newest_data(store))
    listed = command(store, "list")
    assert listed.returncode == 0
    assert str(newest_data(store)) in listed.stderr
    done = json.loads(command(store, "doctor", "--repair", "--json").stdout)
    assert done["tables"][0]["rows_lost"] == 8
    assert Path(done["copy_at"]).is_dir()
    assert command(store, "remember", "The pump is green.").returncode == 0


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """Run the doctor's checks of the store in this process; return what failed: name to remedy."""
    checked = ("data directory", "store")
    only = tuple(each for each in doctor._CHECKS if each[0] in checked)
    monkeypatch.setattr(doctor, "_CHECKS", only)

    def run() -> dict[str, str]:
        found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
        return {check["name"]: check["remedy"] for check in found["checks"] if not check["ok"]}

    return run


def test_the_doctor_has_the_remedy_that_helps(
    lived: Path,
    tmp_path: Path,
    copied: Callable[[Path], Path],
    failed: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
):
    store = copied(lived)
    assert failed() == {}
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(newest_data(store)))
    assert list(failed()) == ["settings"]
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(store))
    monkeypatch.setenv("MEM_MCP_EMBEDDING__MODEL", "openai/text-embedding-3-small")
    assert "mem-mcp reembed" in failed()["store"]
    monkeypatch.delenv("MEM_MCP_EMBEDDING__MODEL")
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "extract.md").write_text("no rules")
    monkeypatch.setenv("MEM_MCP_LLM__PROMPTS", str(prompts))
    assert [remedy for remedy in failed().values() if "setting" in remedy or "correct" in remedy]
    monkeypatch.delenv("MEM_MCP_LLM__PROMPTS")
    emptied(newest_manifest(store))
    assert failed() == {"store": f"run: {REPAIR}"}
