"""Stores of an older mem-mcp are brought up to date when they are opened."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lancedb
import pytest

from mem_mcp.api.models import Memory
from mem_mcp.errors import StoreError
from mem_mcp.store import (
    Store,
    Version,
    back_up,
    copies_before_upgrades,
    migrations,
    open_store,
    repair,
    restore,
    schema,
)
from mem_mcp.store.backup import read_contents
from mem_mcp.store.locks import LOCKS, UPGRADING
from mem_mcp.text import content_hash

pytestmark = pytest.mark.anyio

TEXTS = ["Ada drinks tea", "Bob drinks coffee"]
MOMENT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def opened(folder: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(folder, dimension=None, embedder=None, durable=False)


def version(text: str, client: str | None = None) -> Version:
    memory = Memory(
        version_id=f"{text}.1", memory_id=text, version=1, event="ADD", text=text, kind="fact",
        user_id="u", content_hash=content_hash(text), occurred_at=MOMENT, recorded_at=MOMENT,
        client=client,
    )  # fmt: skip
    return Version(memory, None)


async def table_of(folder: Path) -> lancedb.AsyncTable:
    return await (await lancedb.connect_async(str(folder))).open_table("memories")


async def hashes(folder: Path) -> list[str]:
    return list((await (await table_of(folder)).query().to_arrow())["content_hash"].to_pylist())


async def fill(folder: Path) -> None:
    async with opened(folder) as store:
        assert await store.apply([version(text) for text in TEXTS])


@pytest.fixture
async def stale(folder: Path) -> Path:
    """Return a store whose hashes were made in another way."""
    await fill(folder)
    table = await table_of(folder)
    await table.update({"content_hash": "old"})
    await table.update_field_metadata(
        {"path": schema.HASH, "metadata": {schema.HASHED_KEY.decode(): None}}
    )
    return folder


@pytest.fixture
async def narrow(folder: Path) -> Path:
    """Return a store without the column that was added last."""
    await fill(folder)
    await (await table_of(folder)).drop_columns(["client"])
    return folder


async def test_before_rows_change_the_store_is_backed_up_beside_itself_and_the_log_says_where(
    stale: Path, caplog: pytest.LogCaptureFixture
):
    async with opened(stale):
        pass
    assert await hashes(stale) == [content_hash(text) for text in TEXTS]
    (backup,) = copies_before_upgrades(stale)
    assert str(backup) in caplog.text
    async with opened(stale):
        pass
    assert copies_before_upgrades(stale) == [backup]
    await restore(backup, stale.with_name("again"))
    assert await hashes(stale.with_name("again")) == ["old", "old"]


async def test_a_column_is_added_without_a_backup_and_older_rows_have_nothing_in_it(
    narrow: Path,
):
    async with opened(narrow) as store:
        assert await store.apply([version("new", client="cursor")])
        rows = await store.read({}, order=[("text", True)])
        assert [row.memory.client for row in rows] == [None, None, "cursor"]
        assert await store.read({"client": "cursor"}) == [rows[-1]]
    assert not copies_before_upgrades(narrow)


async def test_where_no_column_can_be_added_the_store_is_read_and_written_without(
    narrow: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def fail(_store: Store) -> None:
        raise StoreError("the disk is full")

    first, *others = migrations.STEPS
    monkeypatch.setattr(migrations, "STEPS", [replace(first, run=fail), *others])
    async with opened(narrow) as store:
        assert "the disk is full" in caplog.text
        assert await store.apply([version("new", client="cursor")])
        rows = await store.read({}, order=[("text", True)])
        assert [row.memory.client for row in rows] == [None, None, None]
        assert (await store.matching("coffee", {}, ["text", "client"], limit=1)).num_rows == 1


async def test_a_column_is_added_beside_a_program_that_does_not_know_it(folder: Path):
    async with opened(folder) as store:
        await (await table_of(folder)).drop_columns(["client"])
        store.fit(await store.table.schema())  # it writes as an older mem-mcp does
        assert await store.apply([version(TEXTS[0])])
        async with opened(folder) as newer:
            assert await newer.apply([version("new", client="cursor")])
            assert await store.apply([version(TEXTS[1])])
            (old,) = await store.read({"memory_id": "new"}, columns=[*Memory.model_fields])
            end = old.memory.model_copy(update={"superseded_at": MOMENT, "client": None})
            next_ = end.model_copy(update={"version_id": "new.2", "superseded_at": None})
            assert await store.apply([Version(next_, None)], [Version(end, None)])
            rows = await newer.read({}, order=[("version_id", True)])
    assert [(row.memory.version_id, row.memory.client) for row in rows] == [
        (f"{TEXTS[0]}.1", None), (f"{TEXTS[1]}.1", None), ("new.1", "cursor"), ("new.2", None),
    ]  # fmt: skip


async def test_an_interrupted_backup_is_made_again_and_a_whole_one_is_kept(stale: Path):
    cut = stale.with_name(f"{stale.name}-before-upgrade-1")
    (cut / "memories.lance").mkdir(parents=True)
    (stale / LOCKS / UPGRADING).write_text(cut.name)
    async with opened(stale):
        pass
    (whole,) = copies_before_upgrades(stale)
    assert whole != cut
    await (await table_of(stale)).update_field_metadata(
        {"path": schema.HASH, "metadata": {schema.HASHED_KEY.decode(): None}}
    )
    (stale / LOCKS / UPGRADING).write_text(whole.name)  # as if it had been killed half way
    async with opened(stale):
        pass
    assert copies_before_upgrades(stale) == [whole]
    assert not (stale / LOCKS / UPGRADING).exists()


@pytest.mark.parametrize("name", ["../elsewhere", "", "elsewhere", "\0"])
async def test_a_damaged_note_of_the_backup_removes_nothing(stale: Path, name: str):
    elsewhere = stale.with_name("elsewhere")
    elsewhere.mkdir()
    (stale / LOCKS / UPGRADING).write_text(name)
    async with opened(stale):
        pass
    assert elsewhere.exists()
    assert len(copies_before_upgrades(stale)) == 1


async def test_without_a_place_for_the_backup_no_row_is_changed(
    stale: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def refuse(_folder: Path, place: Path, **_: object) -> None:
        raise StoreError(f"{str(place)!r} cannot be made", "name another folder")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "back_up", refuse)
        async with opened(stale) as store:
            assert len(await store.read({})) == len(TEXTS)
    assert "cannot be made" in caplog.text
    assert await hashes(stale) == ["old", "old"]
    async with opened(stale):
        pass
    assert await hashes(stale) == [content_hash(text) for text in TEXTS]


async def test_one_of_several_that_open_it_at_once_does_the_work(
    stale: Path, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []
    *others, last = migrations.STEPS

    async def count(store: Store) -> None:
        done.append("once")
        await last.run(store)

    monkeypatch.setattr(migrations, "STEPS", [*others, replace(last, run=count)])

    async def visit() -> None:
        async with opened(stale):
            pass

    await asyncio.gather(*(visit() for _ in range(4)))
    assert done == ["once"]
    assert len(copies_before_upgrades(stale)) == 1


async def test_what_older_programs_cannot_work_with_raises_the_number_they_look_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await fill(folder)

    async def change(_store: Store) -> None:
        pass

    step = migrations.Step(
        name="texts turned around", leads_to=schema.SCHEMA_VERSION + 1,
        is_due=lambda _columns: False, run=change, changes_rows=True,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", [*migrations.STEPS, step])
        patch.setattr(schema, "SCHEMA_VERSION", step.leads_to)
        for _ in range(2):
            async with opened(folder):
                pass
        assert len(copies_before_upgrades(folder)) == 1
        await back_up(folder, folder.with_name("copy"))
    assert read_contents(copies_before_upgrades(folder)[0]).schema_version == schema.SCHEMA_VERSION
    newer = rf"newer mem-mcp.*schema {step.leads_to}.*upgrade mem-mcp"
    with pytest.raises(StoreError, match=newer):
        async with opened(folder):
            pass
    with pytest.raises(StoreError, match=newer):
        await restore(folder.with_name("copy"), folder.with_name("restored"))


async def test_a_store_is_not_opened_where_a_step_failed_that_this_program_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await fill(folder)

    async def fail(_store: Store) -> None:
        raise StoreError("the disk is full")

    step = migrations.Step(
        name="texts turned around", leads_to=schema.SCHEMA_VERSION + 1,
        is_due=lambda _columns: False, run=fail, changes_rows=False,
    )  # fmt: skip
    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS, step])
    monkeypatch.setattr(schema, "SCHEMA_VERSION", step.leads_to)
    with pytest.raises(StoreError, match="the disk is full"):
        async with opened(folder):
            pass


async def test_a_damaged_store_of_old_is_served_and_repaired(narrow: Path):
    newest = min((narrow / "memories.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    async with opened(narrow) as store:
        assert len(await store.read({})) == len(TEXTS)
    await repair(narrow)
    async with opened(narrow) as store:
        assert await store.apply([version("new", client="cursor")])
        assert len(await store.read({"client": {"exists": False}})) == len(TEXTS)


async def test_steps_lead_to_the_schema_of_a_new_store_in_order():
    numbers = [step.leads_to for step in migrations.STEPS]
    assert numbers == sorted(numbers)
    assert numbers[-1] == schema.SCHEMA_VERSION
    columns = schema.table_schema(None)
    assert not any(step.is_due(columns) for step in migrations.STEPS)


async def test_nothing_is_changed_in_a_store_that_takes_no_writes(
    narrow: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    refusal = StoreError("it is read-only")
    monkeypatch.setattr("mem_mcp.store.connect.join", lambda *_: (None, refusal))
    async with opened(narrow) as store:
        rows = await store.read({})
        assert {row.memory.client for row in rows} == {None}
    assert "client" not in (await (await table_of(narrow)).schema()).names
    assert not caplog.text
