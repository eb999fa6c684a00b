"""Backups: of one moment while others write, proved by a list, and restored to the same store."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.errors import StoreError
from mem_mcp.store import back_up, restore
from mem_mcp.store.backup import LIST, Contents
from mem_mcp.store.restore import UNFINISHED

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio
import sys

from mem_mcp import AsyncMemory, Settings


async def write(memory):
    known = []
    for number in range(10_000):
        if number % 5 == 4:
            await memory.update_memory(known[-1], content=f"Shelf {number} is empty again")
        elif number % 5 == 3:
            await memory.give_feedback(known[-1], "POSITIVE", query=f"shelf {number}")
        elif number % 11 == 10:
            await memory.forget(known.pop(0))
        else:
            said = f"Item {number} lies on shelf {number * 7}"
            (one,) = (await memory.remember(said, tags=["shelf"])).results
            known.append(one.memory_id)
        print(number, flush=True)


async def main():
    async with AsyncMemory.open(Settings(data_dir=sys.argv[1], store={"maintain_every": 5})) as one:
        await write(one)

asyncio.run(main())
"""


async def lines(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every version and every mark that a store exports, in the order of their times."""
    async with AsyncMemory.open(Settings(data_dir=folder), any_embedder=True) as memory:
        exported = [json.loads(line) async for line in memory.export_lines()][1:]
    marks = [line["feedback"] for line in exported if [*line] == ["feedback"]]
    versions = [line for line in exported if [*line] != ["feedback"]]
    return (
        sorted(versions, key=lambda one: (one["recorded_at"], one["version_id"])),
        sorted(marks, key=lambda one: one["created_at"]),
    )


async def rows(folder: Path, table: str = "memories") -> list[dict[str, Any]]:
    with await lancedb.connect_async(str(folder)) as database:
        opened = await database.open_table(table)
        found = (await opened.query().to_arrow()).to_pylist()
    return sorted(found, key=lambda row: str(row.get("version_id") or row["created_at"]))


async def fill(folder: Path) -> None:
    async with AsyncMemory.open(Settings(data_dir=folder)) as memory:
        for text in ("Ada likes tea", "Bob lives in Oslo", "ชอบกาแฟเย็น"):
            (one,) = (await memory.remember(text, tags=["people"], entities=["Ada"])).results
        await memory.give_feedback(one.memory_id, "POSITIVE", query="what does she drink?")
        await memory.recall("tea")


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    await fill(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
async def backup(store: Path, tmp_path: Path) -> Path:
    await back_up(store, tmp_path / "backup")
    return tmp_path / "backup"


def everything_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "locks" not in path.parts}


async def test_a_backup_while_another_process_writes_is_the_store_of_one_moment(tmp_path: Path):
    store = tmp_path / "store"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    taken: list[tuple[Path, int]] = []
    try:
        for number in range(4):
            for _ in range(15):
                confirmed = int(await asyncio.to_thread(writer.stdout.readline))
            await back_up(store, tmp_path / f"backup{number}")
            taken.append((tmp_path / f"backup{number}", confirmed))
    finally:
        writer.send_signal(signal.SIGINT)
        writer.stdout.close()
        writer.wait()
    final, final_marks = await lines(store)
    vectors = {row["version_id"]: row["vector"] for row in await rows(store)}
    for backup, confirmed in taken:
        again = tmp_path / f"again-{backup.name}"
        await restore(backup, again)
        versions, marks = await lines(again)
        # A mark is every fifth write; all others make a version.
        of_marks = (confirmed + 1 + 1) // 5
        assert len(versions) >= confirmed + 1 - of_marks
        assert len(marks) >= of_marks
        last = versions[-1]["recorded_at"]
        then = [
            {name: value for name, value in one.items() if name != "superseded_at" or value <= last}
            for one in final[: len(versions)]
        ]
        assert [{k: v for k, v in one.items() if v is not None} for one in versions] == [
            {k: v for k, v in one.items() if v is not None} for one in then
        ]
        assert marks == final_marks[: len(marks)]
        assert all(row["vector"] == vectors[row["version_id"]] for row in await rows(again))


async def test_a_restored_store_has_every_row_of_every_table_and_takes_writes(
    store: Path, backup: Path, tmp_path: Path
):
    again = tmp_path / "again"
    report = await restore(backup, again)
    assert sorted(report.tables) == ["feedback", "memories", "traces"]
    for table in report.tables:
        assert await rows(again, table) == await rows(store, table)
    async with AsyncMemory.open(Settings(data_dir=again)) as memory:
        await memory.remember("Cleo is new here")
        assert (await memory.recall("who is new?")).memories[0].text == "Cleo is new here"
        assert (await memory.maintain()).ran
        assert await memory.examine() == []


async def test_maintenance_and_purges_beside_a_backup_take_nothing_from_it(tmp_path: Path):
    store = tmp_path / "store"
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        many = [{"content": f"Fact {n} about the harbour"} for n in range(200)]
        ids = [one.memory_id for one in (await memory.remember_many(many)).results]
        for number in range(4):
            await asyncio.gather(
                back_up(store, tmp_path / f"backup{number}"),
                memory.maintain(),
                memory.forget(ids[number], purge=True),
            )
    for number in range(4):
        await restore(tmp_path / f"backup{number}", tmp_path / f"again{number}")
        assert len(await rows(tmp_path / f"again{number}")) in (200 - number, 199 - number)


def cut_the_list(backup: Path) -> None:
    content = (backup / LIST).read_bytes()
    (backup / LIST).write_bytes(content[: len(content) // 2])


def remove_the_list(backup: Path) -> None:
    (backup / LIST).unlink()


def edit_the_list(backup: Path) -> None:
    content = (backup / LIST).read_text()
    (backup / LIST).write_text(content.replace('"memories": ', '"memories": 1'))


def lead_out(backup: Path) -> None:
    contents = Contents.model_validate_json((backup / LIST).read_bytes())
    contents.files["memories.lance/../../outside"] = next(iter(contents.files.values()))
    contents.checksum = contents.digest()
    (backup / LIST).write_text(contents.model_dump_json())


def newer(field: str) -> Callable[[Path], None]:
    def write(backup: Path) -> None:
        fields = json.loads((backup / LIST).read_bytes())
        (backup / LIST).write_text(json.dumps({**fields, field: 99}))

    return write


def some_file(backup: Path) -> Path:
    return next(iter(sorted((backup / "memories.lance" / "data").iterdir())))


def cut_a_file(backup: Path) -> None:
    content = some_file(backup).read_bytes()
    some_file(backup).write_bytes(content[:-7])


def change_a_file(backup: Path) -> None:
    content = bytearray(some_file(backup).read_bytes())
    content[len(content) // 2] ^= 1
    some_file(backup).write_bytes(content)


def remove_a_file(backup: Path) -> None:
    some_file(backup).unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "the list is cut": (cut_the_list, f"{LIST}' is cut or was changed"),
    "the list is gone": (remove_the_list, f"lacks {LIST}"),
    "the list was edited": (edit_the_list, f"{LIST}' is cut or was changed"),
    "the list leads out of the folder": (lead_out, f"{LIST}' is cut or was changed"),
    "a file is cut": (cut_a_file, "bytes of"),
    "a file was changed": (change_a_file, ".lance' was changed"),
    "a file is gone": (remove_a_file, ".lance' is missing"),
    "a newer format": (newer("version"), "newer mem-mcp (format 99"),
    "a newer schema": (newer("schema_version"), "newer mem-mcp (schema 99"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_wrong_with_a_backup_is_named_before_anything_is_written(
    backup: Path, tmp_path: Path, damage: str
):
    spoil, message = DAMAGES[damage]
    spoil(backup)
    before = everything_in(tmp_path)
    with pytest.raises(StoreError, match=message.replace("(", r"\(")):
        await restore(backup, tmp_path / "again")
    assert everything_in(tmp_path) == before


async def test_a_store_is_replaced_only_where_that_is_said(
    store: Path, backup: Path, tmp_path: Path
):
    async with AsyncMemory.open(Settings(data_dir=store)) as memory:
        await memory.remember("Said after the backup")
        with pytest.raises(StoreError, match="another mem-mcp process uses"):
            await restore(backup, store, replace=True)
    with pytest.raises(StoreError, match="holds a store, which would be lost"):
        await restore(backup, store)
    assert len((await lines(store))[0]) == 4
    await restore(backup, store, replace=True)
    assert len((await lines(store))[0]) == 3
    assert not list(store.glob("restoring-*"))


async def test_an_interrupted_restore_is_said_when_the_store_is_opened_and_is_done_again(
    store: Path, backup: Path
):
    shutil.rmtree(store / "feedback.lance")
    (store / UNFINISHED).touch()
    (store / "restoring-left").mkdir()
    with pytest.raises(StoreError, match="was interrupted; run mem-mcp restore again"):
        await lines(store)
    await restore(backup, store)
    assert [len(part) for part in await lines(store)] == [3, 1]
    assert not list(store.glob("restoring-*"))


async def test_a_backup_goes_to_a_new_or_empty_folder_outside_of_the_store(
    store: Path, backup: Path, tmp_path: Path
):
    with pytest.raises(StoreError, match="not an empty folder"):
        await back_up(store, backup)
    with pytest.raises(StoreError, match="lies in the store"):
        await back_up(store, store / "backup")
    with pytest.raises(StoreError, match="holds no store"):
        await back_up(tmp_path / "nothing", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        await back_up(store, tmp_path / "file" / "new")
    (tmp_path / "empty").mkdir()
    await back_up(store, tmp_path / "empty")
    await back_up(store, tmp_path / "a" / "b")


async def test_nothing_stays_of_a_backup_that_failed(store: Path, tmp_path: Path):
    def fail(done: int, total: int) -> None:
        if done > total / 2:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="no space is left"):
        await back_up(store, tmp_path / "a" / "b", fail)
    assert not (tmp_path / "a").exists()


async def test_nothing_stays_of_a_backup_whose_caller_gave_up(store: Path, tmp_path: Path):
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin(done: int, total: int) -> None:
        loop.call_soon_threadsafe(begun.set)

    task = asyncio.create_task(back_up(store, tmp_path / "backup", begin))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "backup").exists()


async def test_a_damaged_store_is_not_backed_up_as_if_it_were_whole(store: Path, tmp_path: Path):
    some_file(store).unlink()
    with pytest.raises(StoreError, match=r"the store is damaged: .*doctor --repair"):
        await back_up(store, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
