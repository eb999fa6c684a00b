"""A store in a bucket, on moto's S3 server. It starts slowly, so one module has all of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from object_server import ObjectServer

from mem_mcp import AsyncMemory, Settings
from mem_mcp.cli import doctor_checks
from mem_mcp.errors import MemError, StoreBusy, StoreError
from mem_mcp.store import Maintenance, Store, migrations, open_store
from mem_mcp.store.bucket import Bucket
from mem_mcp.store.bucket_erasure import announce_in_bucket
from mem_mcp.store.lease import Lease
from mem_mcp.store.schema import Space, active, spaces
from mem_mcp.store.vector_migration import adopt

pytestmark = pytest.mark.anyio
KEY = "The deploy key is in the vault."


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectServer]:
    with ObjectServer() as server:
        yield server


@pytest.fixture
def objects(running: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "alice")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yield running
    running.forget()


def settings_for(objects: ObjectServer, address: str, **options: str) -> Settings:
    reach = {"endpoint": objects.address, "allow_http": "true", "region": "eu-central-1", **options}
    return Settings(storage_uri=address, store={"options": reach})


@pytest.fixture
def settings(objects: ObjectServer) -> Settings:
    return settings_for(objects, objects.bucket())


def lease(settings: Settings, seconds: float = 60) -> Lease:
    return Lease(Bucket(settings.storage_uri, settings.store.options), "maintain", seconds)


async def test_a_bucket_of_an_older_version_is_brought_up_to_date_by_one_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncMemory.open(settings) as memory:
        await memory.remember(KEY)
        table = memory._runtime.store.table
        await table.drop_columns(["client"])
    done: list[str] = []
    first, *others = migrations.STEPS

    async def count(store: Store) -> None:
        done.append("once")
        await first.run(store)

    monkeypatch.setattr(migrations, "STEPS", [replace(first, run=count), *others])
    monkeypatch.setattr(Lease, "pause", 0.05)

    async def visit(text: str) -> None:
        async with AsyncMemory.open(settings) as memory:
            await memory.remember(text)

    await asyncio.gather(visit("The vault is in Bern."), visit("The vault is in Riga."))
    assert done == ["once"]
    async with AsyncMemory.open(settings) as memory:
        assert (await memory.list_memories(filters={"client": "python"})).total == 2


async def test_two_servers_on_a_bucket_see_each_others_memories_at_once(settings: Settings) -> None:
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        stored = await one.remember(KEY)
        assert (await other.recall("Where is the deploy key?")).memories[0].text == KEY
        await other.update_memory(stored.results[0].memory_id, content="The key was revoked.")
        assert (await one.recall("Where is the deploy key?")).memories[0].text != KEY


async def test_a_new_bucket_can_be_opened_by_several_at_once(settings: Settings) -> None:
    async def start(name: str) -> None:
        async with AsyncMemory.open(settings) as memory:
            await memory.remember(f"{name} was here.")

    await asyncio.gather(*map(start, ("Alice", "Bob", "Carol")))
    async with AsyncMemory.open(settings) as memory:
        assert len((await memory.list_memories()).memories) == 3


async def test_where_no_lock_keeps_servers_apart_all_get_the_same_first_space(
    settings: Settings,
) -> None:
    reach = settings.store.options
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(
                open_store(
                    settings.storage_uri,
                    dimension=None,
                    embedder="openai/embedding",
                    durable=False,
                    options=reach,
                )
            )
            for _ in range(3)
        ]
        await asyncio.gather(*(adopt(store, "openai/embedding", 9) for store in stores))
        assert {store.space for store in stores} == {Space("vector", "openai/embedding", 9)}
        found = await stores[0].table.schema()
        assert spaces(found) == [active(found)]


async def test_a_table_is_made_by_one_at_a_time(objects: ObjectServer, settings: Settings) -> None:
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look(method: str, path: str) -> None:
        if method == "GET" and path.endswith("lease-create"):
            loop.call_soon_threadsafe(looked.set)

    async def start() -> None:
        async with AsyncMemory.open(settings):
            pass

    async with Lease(Bucket(settings.storage_uri, settings.store.options), "create").held():
        objects.spoil = look
        starting = asyncio.create_task(start())
        await asyncio.wait_for(looked.wait(), 60)
        assert not [name for name in objects.contents(settings.storage_uri) if ".lance/" in name]
    await starting
    assert [name for name in objects.contents(settings.storage_uri) if ".lance/" in name]


async def test_the_environment_alone_says_how_a_bucket_is_reached(
    objects: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT": objects.address, "ALLOW_HTTP": "true", "REGION": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    async with AsyncMemory.open(Settings(storage_uri=objects.bucket())) as memory:
        assert (await memory.remember(KEY)).results[0].event == "ADD"


def test_the_doctor_passes_the_way_to_the_bucket_on_to_the_server_it_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, str] = {}

    def connected(environment: dict[str, str]) -> None:
        given.update(environment)
        raise MemError("enough")

    monkeypatch.setattr(doctor_checks, "connected", connected)
    monkeypatch.setenv("MEM_MCP_STORAGE_URI", settings.storage_uri)
    with pytest.raises(MemError, match="enough"):
        doctor_checks.start(settings)
    assert given["AWS_ACCESS_KEY_ID"] == "alice"
    assert given["MEM_MCP_STORAGE_URI"] == settings.storage_uri


async def test_of_all_who_ask_for_a_lease_one_has_it(settings: Settings) -> None:
    one, other = lease(settings), lease(settings)
    async with one.held() as first, other.held() as second, one.held() as again:
        assert (first, second, again) == (True, False, False)
    async with other.held() as after:
        assert after


async def test_a_lease_is_renewed_while_it_is_held(settings: Settings) -> None:
    one = lease(settings, 6)
    bucket = Bucket(settings.storage_uri, settings.store.options)
    async with asyncio.timeout(60), one.held():
        first = await bucket.read("lease-maintain")
        while await bucket.read("lease-maintain") == first:
            await asyncio.sleep(0.05)


async def test_the_lease_of_one_that_died_is_taken_over_whatever_the_clocks_say(
    settings: Settings,
) -> None:
    dead, other = lease(settings), lease(settings, 0.2)
    assert await dead.write(over=None)
    async with other.held() as at_once:
        assert not at_once
    async with other.held(wait=True) as later:
        assert later


async def test_one_that_was_taken_over_from_knows_it(settings: Settings) -> None:
    one, other = lease(settings, 6), lease(settings, 6)
    bucket = Bucket(settings.storage_uri, settings.store.options)
    async with asyncio.timeout(60), one.held():
        while not one.lost:
            await other.write(over=await bucket.read("lease-maintain"))
            await asyncio.sleep(0.05)


async def test_one_at_a_time_maintains_a_bucket_and_the_next_finds_it_done(
    settings: Settings,
) -> None:
    def opened() -> AbstractAsyncContextManager[Store]:
        options = settings.store.options
        return open_store(
            settings.storage_uri, dimension=2, embedder="e", durable=True, options=options
        )

    async with opened() as one, opened() as other:
        assert one.lease is not None
        async with one.lease.held():
            assert not (await Maintenance(other, 1).run()).ran
        assert (await Maintenance(other, 1).run()).ran
        assert not (await Maintenance(one, 1).run()).ran


async def test_a_request_that_two_servers_work_on_at_once_is_done_once(settings: Settings) -> None:
    outcome = {"outcome": "FAILURE", "task_type": "deploy", "idempotency_key": "k-1"}
    messages = [{"role": "user", "content": "The deploy failed."}] * 2
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        for _ in range(3):  # the first makes tables that the others need
            await asyncio.gather(
                *(memory.record_outcome("Ship 1.2", **outcome) for memory in (one, other)),
                *(
                    memory.remember(messages=messages, run_id="r", idempotency_key="k-2")
                    for memory in (one, other)
                ),
            )
        kinds = Counter(each.kind for each in (await one.list_memories()).memories)
    assert kinds == {"outcome": 1, "message": 2}


async def test_what_is_purged_leaves_the_bucket_when_nobody_reads_it_any_more(
    objects: ObjectServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("Alice likes tea.")
        secret = (await memory.remember("Zanzibar keeps the ledger.")).results[0].memory_id
        said = await memory.forget(secret, purge=True)
        assert "leave the disk by" in said.degraded[0]
        monkeypatch.setattr(
            "mem_mcp.store.bucket_erasure.KEEP_FOR_OTHERS", timedelta(seconds=0.001)
        )
        monkeypatch.setattr("mem_mcp.store.bucket_erasure._CLOCKS_OFF", timedelta(hours=-1))
    contents = objects.contents(settings.storage_uri)
    assert not [name for name, one in contents.items() if b"zanzibar" in one.lower()]
    assert not [name for name in contents if "/_mem_mcp/eras" in name]
    async with AsyncMemory.open(settings) as memory:
        assert (await memory.recall("What does Alice like?")).memories[0].text == "Alice likes tea."


async def test_an_erasure_whose_process_died_is_done_by_another(
    objects: ObjectServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mem_mcp.store.bucket_erasure.KEEP_FOR_OTHERS", timedelta(seconds=-1))
    await announce_in_bucket(Bucket(settings.storage_uri, settings.store.options))
    async with AsyncMemory.open(settings):
        pass
    names = [name.partition("/_mem_mcp/")[2] for name in objects.contents(settings.storage_uri)]
    assert [name.partition("-")[0] for name in names if name.startswith("eras")] == ["erased"]


async def test_a_server_that_ignores_conditions_is_read_and_not_written(
    objects: ObjectServer, settings: Settings
) -> None:
    async with AsyncMemory.open(settings) as memory:
        await memory.remember(KEY)
    objects.honours_conditions = False
    async with AsyncMemory.open(settings) as memory:
        assert (await memory.recall("Where is the deploy key?")).memories[0].text == KEY
        with pytest.raises(StoreError, match="conditional writes"):
            await memory.remember("Alice likes tea.")


async def test_a_bucket_that_may_not_be_written_is_read(
    objects: ObjectServer, settings: Settings
) -> None:
    async with AsyncMemory.open(settings) as memory:
        await memory.remember(KEY)
    objects.spoil = lambda method, _: "denied" if method in ("PUT", "POST", "DELETE") else None
    async with AsyncMemory.open(settings) as memory:
        assert (await memory.recall("Where is the deploy key?")).memories[0].text == KEY
        with pytest.raises(StoreError, match="access was denied: nothing was stored"):
            await memory.remember("Alice likes tea.")


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [("denied", "access was denied"), ("elsewhere", "another region")],
)
async def test_why_a_bucket_cannot_be_opened_is_said(
    objects: ObjectServer, settings: Settings, spoilt, said: str
) -> None:
    objects.spoil = lambda *_: spoilt
    with pytest.raises(StoreError, match=said):
        async with AsyncMemory.open(settings):
            pass


async def test_a_bucket_that_is_not_there_is_named(objects: ObjectServer) -> None:
    with pytest.raises(StoreError, match=r"s3://nowhere/team.*no such bucket.*storage_uri"):
        async with AsyncMemory.open(settings_for(objects, "s3://nowhere/team")):
            pass


async def test_busy_answers_are_tried_again(objects: ObjectServer, settings: Settings) -> None:
    async with AsyncMemory.open(settings) as memory:
        numbers = count()
        objects.spoil = lambda *_: "refused" if next(numbers) % 9 == 0 else None
        assert (await memory.remember(KEY)).results[0].event == "ADD"
        assert (await memory.recall("Where is the deploy key?")).memories[0].text == KEY


async def test_a_server_that_stays_busy_ends_the_call_with_an_error(
    objects: ObjectServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mem_mcp.store.retries._ATTEMPTS", 1)
    async with AsyncMemory.open(settings_for(objects, settings.storage_uri, retries="0")) as memory:
        await memory.remember(KEY)
        objects.spoil = lambda *_: "refused"
        with pytest.raises(StoreBusy, match="does not answer, or has too much to do; try again"):
            await memory.remember("Alice likes tea.")
        objects.forget()


async def test_what_was_stored_though_its_answer_was_lost_is_stored_once(
    objects: ObjectServer, settings: Settings
) -> None:
    lost = 0

    def lose(method: str, path: str):
        nonlocal lost
        if method == "PUT" and "memories.lance/_versions/" in path and not lost:
            lost += 1
            return "lost"
        return None

    async with AsyncMemory.open(settings) as memory:
        first = (await memory.remember("Alice likes tea.")).results[0]
        objects.spoil = lose
        assert (await memory.remember(KEY)).results[0].event == "ADD"
        assert lost == 1
        lost = 0
        await memory.update_memory(first.memory_id, content="Alice likes coffee.")
        assert lost == 1
        stored = (await memory.list_memories()).memories
        assert sorted(each.text for each in stored) == ["Alice likes coffee.", KEY]
        assert [each.version for each in stored if each.text != KEY] == [2]
