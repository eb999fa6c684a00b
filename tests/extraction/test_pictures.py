"""Pictures in messages: described once by a model that sees, and never lost while it cannot."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Request, failing, refused

from mem_mcp import AsyncMemory, Settings
from mem_mcp.config import LLMSettings, PictureSettings, StoreSettings
from mem_mcp.errors import InvalidInput
from mem_mcp.extraction.pictures import UNDESCRIBED

pytestmark = pytest.mark.anyio
ADDRESS = "https://example.org/bicycle.png"
BICYCLE = {"description": "A red bicycle in front of a house", "written": "For sale"}
SHOWN = "[Picture: A red bicycle in front of a house. Written in it: “For sale”]"
Opened = Callable[..., AbstractAsyncContextManager[AsyncMemory]]


def png(name: str = "a") -> str:
    """The data of a picture like no other."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + name.encode()).decode()


def picture(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"type": "image", "data": png(name), "mimeType": "image/png", **fields}


def remote() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": ADDRESS}}


def message(*parts: Any, name: str = "Ana") -> dict[str, Any]:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"role": "user", "name": name, "content": content}


def image_of(request: Request) -> dict[str, Any] | None:
    """The picture that a request shows, if any."""
    content = request.body["messages"][-1]["content"]
    parts = content if isinstance(content, list) else []
    return next((part["image_url"] for part in parts if part["type"] == "image_url"), None)


def shown(server: LLMServer) -> list[str]:
    """The addresses of the pictures that were asked about, in any order."""
    return sorted(image["url"] for request in server.requests if (image := image_of(request)))


def learns(text: str, quote: str) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "target": None, "kind": "fact", "occurred_at": None, "valid_until": None, "tags": [],
        "entities": [], "relations": [], "confidence": 0.9, "reason": "said so",
    }  # fmt: skip
    return {"operations": [{**blank, "op": "ADD", "text": text, "quote": quote}]}


FACT = learns("Ana sells her red bicycle", "A red bicycle in front of a house")


def seeing(answer: Any = BICYCLE, fact: Any = FACT) -> Callable[[Request], Any]:
    """Answer what is asked: what a picture shows, or what is learnt."""
    return lambda request: answer if image_of(request) else fact


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer() as running:
        running.answer = seeing()
        yield running


@pytest.fixture
def opened(tmp_path: Path, server: LLMServer) -> Opened:
    """Open the same memory, with what differs of the settings."""

    def open_memory(*, urls: bool = False, folder: str = "", **llm: Any) -> Any:
        given = {"model": "openai/test", "api_base": server.url, "retries": 0, "vision": True}
        return AsyncMemory.open(
            Settings(
                data_dir=tmp_path / "memory",
                store=StoreSettings(durability="os"),
                llm=LLMSettings.model_validate({**given, **llm}),
                pictures=PictureSettings(urls=urls, folder=folder),
            )
        )

    return open_memory


@pytest.fixture
async def memory(opened: Opened) -> AsyncIterator[AsyncMemory]:
    async with opened() as found:
        yield found


async def texts(memory: AsyncMemory, **filters: Any) -> list[str]:
    found = await memory.list_memories(filters=filters or None, order="oldest")
    return [one.text for one in found.memories]


async def waiting(memory: AsyncMemory) -> list[str]:
    return await texts(memory, status="pending")


# Described


async def test_a_picture_is_described_and_learnt_from(memory: AsyncMemory, server: LLMServer):
    done = await memory.remember(messages=[message("Look what I sell!", picture(detail="low"))])
    assert [one.text for one in done.results] == ["Ana sells her red bicycle"]
    assert done.degraded == []
    assert done.llm is not None
    assert done.llm.calls == 2
    asked, read = server.requests
    assert image_of(asked) == {"url": f"data:image/png;base64,{png()}", "detail": "low"}
    assert "Ana: Look what I sell!" in asked.text
    assert f"Look what I sell!\n{SHOWN}" in read.text
    kept = (await memory.get_memory(done.results[0].memory_id)).memory
    assert kept.evidence == ["A red bicycle in front of a house"]


async def test_each_of_many_pictures_stands_in_its_own_place(
    memory: AsyncMemory, server: LLMServer
):
    def answer(request: Request) -> Any:
        image = image_of(request)
        if image is None:
            return failing(500)
        name = base64.b64decode(image["url"].partition(",")[2])[8:].decode()
        return {"description": f"Number {name}", "written": None}

    server.answer = answer
    parts = [part for n in range(9) for part in (f"Here is {n}:", picture(str(n)))]
    await memory.remember(messages=[message(*parts), message(picture("9"), name="")])
    expected = "\n".join(f"Here is {n}:\n[Picture: Number {n}]" for n in range(9))
    assert await waiting(memory) == [expected, "[Picture: Number 9]"]
    alone = next(each for each in server.requests if png("9") in str(each.body))
    assert "Here is 8:" in alone.text  # what was said before it


async def test_a_file_is_read_and_an_address_is_passed_on_where_that_is_allowed(
    opened: Opened, server: LLMServer, tmp_path: Path
):
    (tmp_path / "a.png").write_bytes(base64.b64decode(png()))
    async with opened(urls=True, folder=str(tmp_path)) as memory:
        file = {"type": "image", "path": "a.png"}
        done = await memory.remember(messages=[message("Look:", file, remote())])
    assert done.degraded == []
    assert shown(server) == [f"data:image/png;base64,{png()}", ADDRESS]


async def test_a_repeated_request_asks_the_model_nothing_again(
    memory: AsyncMemory, server: LLMServer
):
    given = {"messages": [message("Look!", picture())], "idempotency_key": "k"}
    first = await memory.remember(**given)
    asked = len(server.requests)
    again = await memory.remember(**given)
    assert again.results[0].memory_id == first.results[0].memory_id
    assert len(server.requests) == asked


async def test_a_request_that_arrives_twice_at_once_is_learnt_once(memory: AsyncMemory):
    given = {"messages": [message("Look!", picture())], "idempotency_key": "k"}
    both = await asyncio.gather(memory.remember(**given), memory.remember(**given))
    assert len({one.memory_id for done in both for one in done.results}) == 1
    assert await texts(memory) == ["Ana sells her red bicycle"]


# Left out


@pytest.mark.parametrize(
    ("llm", "arguments", "why"),
    [
        ({"vision": False}, {}, "llm.vision"),
        ({"vision": None}, {}, "llm.vision"),  # nobody knows whether this model sees
        ({"model": ""}, {}, "llm.model"),
        ({}, {"infer": "never"}, "never"),
    ],
)
async def test_where_nobody_sees_pictures_are_left_out_and_the_answer_says_why(
    opened: Opened, server: LLMServer, llm: Any, arguments: Any, why: str
):
    server.answer = seeing(failing(500), failing(500))
    async with opened(**llm) as memory:
        given = [message(picture()), message("my cat", picture()), message("and I")]
        done = await memory.remember(messages=given, **arguments)
        assert [one.text for one in done.results] == ["my cat", "and I"]
        assert [note[:11] for note in done.degraded[:2]] == ["messages[0]", "messages[1]"]
        assert all(why in note for note in done.degraded[:2])
        with pytest.raises(InvalidInput, match=why):
            await memory.remember(messages=[message(picture())], **arguments)
        assert await texts(memory) == ["my cat", "and I"]
    assert shown(server) == []


async def test_an_address_is_not_passed_on_unless_the_settings_say_so(
    memory: AsyncMemory, server: LLMServer
):
    done = await memory.remember(messages=[message("Look!", remote(), picture())])
    assert [one.text for one in done.results] == ["Ana sells her red bicycle"]
    assert len(done.degraded) == 1
    assert "pictures.urls" in done.degraded[0]
    assert ADDRESS not in str([request.body for request in server.requests])
    with pytest.raises(InvalidInput, match=r"pictures\.urls"):
        await memory.remember(messages=[message(remote())])


async def test_for_many_at_once_no_model_is_asked(memory: AsyncMemory, server: LLMServer):
    items = [{"messages": [message("my cat", picture())]}, {"content": "a fact"}]
    done = await memory.remember_many(items)
    assert [one.text for one in done.results] == ["my cat", "a fact"]
    assert len(done.degraded) == 1
    assert done.degraded[0].startswith("items[0]: messages[0]: ")
    with pytest.raises(InvalidInput, match=r"items\[1\]: messages"):
        await memory.remember_many([{"content": "x"}, {"messages": [message(picture())]}])
    with pytest.raises(InvalidInput, match=r"items\[10\].*20 pictures"):
        await memory.remember_many([{"messages": [message("x", picture(), picture())]}] * 11)
    assert server.requests == []
    assert await texts(memory) == ["my cat", "a fact"]


async def test_a_wrong_picture_is_refused_before_anything_is_stored_or_asked(
    memory: AsyncMemory, server: LLMServer
):
    wrong = {"type": "image", "data": "AAAA"}
    with pytest.raises(InvalidInput) as error:
        await memory.remember(messages=[message("x", picture()), message("y", wrong)])
    assert error.value.argument == "messages[1].content"
    assert server.requests == []
    assert await texts(memory) == []


# Not described yet


async def test_a_picture_that_a_provider_wants_fetched_is_not_fetched_here(
    opened: Opened, server: LLMServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    there = {"type": "image_url", "image_url": {"url": f"{server.url}/bicycle.png"}}
    async with opened(urls=True, model="anthropic/claude-sonnet-4-5") as memory:
        done = await memory.remember(messages=[message("Look!", there)])
    assert "does not fetch pictures by address; send their data" in done.degraded[0]
    assert server.requests == []


@pytest.mark.parametrize(
    "fault",
    [failing(500), refused(), {"description": " "}],
    ids=["500", "refusal", "nothing"],
)
async def test_whatever_fails_a_picture_waits_and_is_described_later_once(
    memory: AsyncMemory, server: LLMServer, fault: Any
):
    server.answer = seeing(fault)
    talk = [message("Look what I sell!", picture()), message("It is red.")]
    done = await memory.remember(messages=talk)
    assert [one.event for one in done.results] == ["ADD", "ADD"]
    assert "waits" in done.degraded[0]
    assert await waiting(memory) == [f"Look what I sell!\n{UNDESCRIBED}", "It is red."]
    server.answer = seeing()
    server.requests.clear()
    read = await memory.reprocess()
    assert (read.processed, read.waiting, read.degraded) == (1, 0, [])
    assert await texts(memory) == ["Ana sells her red bicycle"]
    assert shown(server) == [f"data:image/png;base64,{png()}"]
    talked = server.requests[-1].text
    assert talked.index(SHOWN) < talked.index("It is red.")
    assert (await memory.reprocess()).processed == 0


@pytest.mark.parametrize(
    "fault",
    [failing(500), refused(), {"description": " "}],
    ids=["500", "refusal", "nothing"],
)
async def test_a_repeated_call_goes_on_with_a_picture_that_waits_and_then_asks_nothing_more(
    memory: AsyncMemory, server: LLMServer, fault: Any
):
    server.answer = seeing(fault)
    talk = [message("Look what I sell!", picture()), message("It is red.")]
    done = await memory.remember(messages=talk, idempotency_key="k")
    assert [one.event for one in done.results] == ["ADD", "ADD"]
    assert "waits" in done.degraded[0]
    server.requests.clear()
    still = await memory.remember(messages=talk, idempotency_key="k")
    assert [one.memory_id for one in still.results] == [one.memory_id for one in done.results]
    assert any("wait for the language model" in note for note in still.degraded)
    assert await waiting(memory) == [f"Look what I sell!\n{UNDESCRIBED}", "It is red."]
    server.answer = seeing()
    server.requests.clear()
    again = await memory.remember(messages=talk, idempotency_key="k")
    assert ([one.text for one in again.results], again.degraded) == (
        ["Ana sells her red bicycle"],
        [],
    )
    assert shown(server) == [f"data:image/png;base64,{png()}"]
    assert await waiting(memory) == []
    server.requests.clear()
    repeated = await memory.remember(messages=talk, idempotency_key="k")
    assert repeated.results == again.results
    assert (await memory.reprocess()).processed == 0
    assert server.requests == []
    assert await texts(memory) == ["Ana sells her red bicycle"]


async def test_what_was_described_is_not_asked_for_again(memory: AsyncMemory, server: LLMServer):
    """Neither when the next picture fails, nor when the text is not read."""
    server.answer = lambda request: failing(500) if png("b") in str(request.body) else BICYCLE
    await memory.remember(messages=[message("One", picture("a"), picture("b"))])
    assert await waiting(memory) == [f"One\n{SHOWN}\n{UNDESCRIBED}"]
    server.requests.clear()
    server.answer = seeing(fact=failing(500))
    assert (await memory.reprocess()).processed == 0
    assert await waiting(memory) == [f"One\n{SHOWN}\n{SHOWN}"]
    server.answer = seeing()
    assert (await memory.reprocess()).processed == 1
    assert shown(server) == [f"data:image/png;base64,{png('b')}"]
    assert await texts(memory) == ["Ana sells her red bicycle"]


async def test_a_request_described_in_part_keeps_the_order_of_its_messages(
    memory: AsyncMemory, server: LLMServer
):
    server.answer = seeing(failing(500))
    await memory.remember(messages=[message("First", picture()), message("Second")])
    server.answer = seeing(fact=failing(500))
    await memory.reprocess()
    server.answer = seeing()
    await memory.reprocess()
    talked = server.requests[-1].text
    assert talked.index("First") < talked.index("Second")


async def test_a_picture_that_may_not_be_described_any_more_goes_on_waiting(
    opened: Opened, server: LLMServer
):
    server.answer = seeing(failing(500))
    async with opened(urls=True) as memory:
        for number in range(4):
            await memory.remember(messages=[message(f"Look {number}", remote())], run_id="r")
        await memory.remember(messages=[message("mine", picture())], run_id="s")
    server.answer = seeing()
    server.requests.clear()
    async with opened(vision=False) as memory:
        read = await memory.reprocess()
        assert (read.processed, read.waiting) == (0, 5)
        assert all("llm.vision" in note for note in read.degraded)
    async with opened() as memory:
        # Four that may not be asked about are no failures of the model: the fifth has its turn.
        read = await memory.reprocess()
        assert (read.processed, read.waiting) == (1, 4)
        assert all("pictures.urls" in note for note in read.degraded)
    assert ADDRESS not in str([request.body for request in server.requests])
    async with opened(urls=True) as memory:
        assert (await memory.reprocess()).waiting == 0


async def test_a_text_that_was_corrected_while_it_waited_counts_instead(
    memory: AsyncMemory, server: LLMServer
):
    server.answer = seeing(failing(500))
    done = await memory.remember(messages=[message("Look!", picture())])
    await memory.update_memory(done.results[0].memory_id, content="It is my blue bicycle.")
    server.requests.clear()
    server.answer = seeing(fact=learns("Ana has a blue bicycle", "my blue bicycle"))
    assert (await memory.reprocess()).waiting == 0
    assert shown(server) == []
    assert await texts(memory) == ["Ana has a blue bicycle"]


async def test_many_requests_with_pictures_are_all_read(memory: AsyncMemory, server: LLMServer):
    """More than are looked at together."""
    server.answer = seeing(refused())
    for number in range(3):
        talk = [message(f"Look {number}.{n}", *([] if n else [picture()])) for n in range(9)]
        await memory.remember(messages=talk, run_id=f"r{number}")
    server.answer = seeing()
    read = await memory.reprocess()
    assert (read.processed, read.waiting) == (3, 0)
    assert len(shown(server)) == 6  # three were refused before
