"""No secret and no hidden character is stored, whichever way it comes in; the answer says so."""

from __future__ import annotations

import json

import pytest
from llm_server import LLMServer
from made_secrets import made

from mem_mcp import AsyncMemory, Settings
from mem_mcp.errors import InvalidInput

TOKEN = made("ghp_{w36}")
MASK = f"[secret: GitHub token ghp_…{TOKEN[-4:]}]"
HIDDEN = "\u200b\u202e" + "".join(chr(0xE0000 + ord(sign)) for sign in "obey")


pytestmark = pytest.mark.usefixtures("one_model")


def message(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def exported(memory: AsyncMemory) -> str:
    return "\n".join([line async for line in memory.export_lines(traces=True)])


@pytest.mark.anyio
@pytest.mark.parametrize("given", [TOKEN, f"{TOKEN[:9]}{HIDDEN}{TOKEN[9:]}"])
async def test_no_way_in_stores_a_secret(memory: AsyncMemory, settings: Settings, given: str):
    text = f"CI pushes with {given}"
    notes = []
    one = await memory.remember(
        text, tags=[text], metadata={"deep": [{text: text}]}, entities=[text],
        relations=[{"source": text, "relation": "uses", "target": text}],
    )  # fmt: skip
    notes += [note for note in one.degraded if "masked" in note]
    talk = await memory.remember(messages=[message(text), {"role": "user", "content": [
        {"type": "text", "text": text}]}])  # fmt: skip
    many = await memory.remember_many([{"content": "Nothing to hide"}, {"content": f"{text}!"}])
    outcome = await memory.record_outcome(
        text, "failure", lesson=text, summary=text, task_type=text, tool_name=text, logs=[text],
        tags=text, metadata={"a": text}, agent_version=text,
    )  # fmt: skip
    memory_id = one.results[0].memory_id
    update = await memory.update_memory(memory_id, content=f"New: {text}", reason=text)
    asked = await memory.recall(text)
    learned = await memory.recall_lessons(text)
    marked = await memory.give_feedback(memory_id, "POSITIVE", feedback_reason=text, query=text)
    items = [{"memory_id": memory_id, "feedback": "NEGATIVE", "feedback_reason": text}]
    listed = await memory.give_feedback(items=items)
    line = {"content": f"Imported: {text}", "tags": [text], "metadata": {"a": text}}
    taken = await memory.import_lines([json.dumps(line).encode()])
    for answer in (one, talk, many, outcome, update, asked, learned, marked, listed, taken):
        assert any("masked (GitHub token" in note for note in answer.degraded), answer
    stored = await exported(memory)
    assert TOKEN not in stored
    assert TOKEN[-20:] not in stored
    assert not set(HIDDEN) & set(stored)
    assert MASK in stored
    assert [one.text for one in asked.memories if one.text.startswith("New: ")]
    for file in settings.data_dir.rglob("*"):
        assert not file.is_file() or TOKEN[-20:].encode() not in file.read_bytes(), file


@pytest.mark.anyio
async def test_each_argument_with_a_secret_or_something_hidden_is_named_once(memory: AsyncMemory):
    stored = await memory.remember(
        messages=[message(f"{TOKEN} and {made('npm_{w36}')}"), message(f"a\u200bb {TOKEN}")],
        tags=["pass\u00adword"],
    )
    assert stored.degraded == [
        "messages: 3 secrets were masked (GitHub token ×2, npm token); a memory keeps none",  # noqa: RUF001
        "messages: 1 hidden or control character was taken out",
        "tags: 1 hidden or control character was taken out",
    ]


@pytest.mark.anyio
async def test_the_same_text_with_the_same_secret_is_the_same_memory(memory: AsyncMemory):
    first = await memory.remember(f"The token is {TOKEN}")
    again = await memory.remember(f"The token is {TOKEN}")
    masked = await memory.remember(f"The token is {MASK}")
    other = await memory.remember(f"The token is {made('ghp_{w36}', 1)}")
    assert first.results[0].text == f"The token is {MASK}"
    assert [one.results[0].event for one in (first, again, masked, other)] == [
        "ADD", "NONE", "NONE", "ADD",
    ]  # fmt: skip
    keyed = [
        (await memory.remember(f"Key: {TOKEN}", idempotency_key="k")).results[0] for _ in range(2)
    ]
    assert keyed[0].memory_id == keyed[1].memory_id


@pytest.mark.anyio
async def test_a_question_with_a_secret_finds_what_was_stored_with_it(memory: AsyncMemory):
    await memory.remember(f"The deploy of the shop uses {TOKEN}")
    found = await memory.recall(f"what uses {TOKEN}?")
    assert found.memories[0].text == f"The deploy of the shop uses {MASK}"


@pytest.mark.anyio
async def test_where_secrets_are_refused_nothing_is_stored_and_questions_are_answered(
    settings: Settings,
):
    async with AsyncMemory.open(settings.model_copy(update={"secrets": "refuse"})) as memory:
        for call in (
            memory.remember(f"It is {TOKEN}"),
            memory.remember(messages=[message("Hello"), message(TOKEN)]),
            memory.remember("Fine", metadata={"a": {"b": [TOKEN]}}),
            memory.record_outcome("Deploy", logs=[f"push {TOKEN}"]),
        ):
            with pytest.raises(InvalidInput, match="holds a secret") as refused:
                await call
            assert TOKEN not in str(refused.value)
        with pytest.raises(InvalidInput, match=r"items\[1\]: content: holds a secret"):
            await memory.remember_many([{"content": "Fine"}, {"content": TOKEN}])
        lines = [json.dumps({"content": text}).encode() for text in (TOKEN, "Fine too")]
        taken = await memory.import_lines(lines)
        assert [error.line for error in taken.errors] == [1]
        assert (await memory.recall(f"where is {TOKEN} used?")).degraded
        assert (await memory.stats()).memories == 1


@pytest.mark.anyio
async def test_where_they_are_let_in_secrets_are_stored_as_they_are(settings: Settings):
    async with AsyncMemory.open(settings.model_copy(update={"secrets": "off"})) as memory:
        stored = await memory.remember(f"It is {TOKEN}\u200b")
        assert stored.results[0].text == f"It is {TOKEN}"
        assert stored.degraded == ["content: 1 hidden or control character was taken out"]


@pytest.mark.anyio
async def test_a_language_model_reads_no_secret(settings: Settings, server: LLMServer):
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0}
    given = Settings.model_validate({"data_dir": settings.data_dir, "llm": llm})
    async with AsyncMemory.open(given) as memory:
        server.script({"operations": []}, {"outcome": "unknown"})
        await memory.remember(messages=[message(f"It is {TOKEN}")], instructions=f"Not {TOKEN}")
        await memory.record_outcome("Deploy", logs=[f"push with {TOKEN}"])
    assert MASK in server.requests[0].text
    assert all(TOKEN not in request.text for request in server.requests)
    assert len(server.requests) > 1


@pytest.mark.anyio
async def test_ids_stay_as_they_are(memory: AsyncMemory):
    stored = await memory.remember(
        "Hello", user_id=f"u-{TOKEN}", run_id=TOKEN, idempotency_key=TOKEN
    )
    assert stored.degraded == []
    found = await memory.get_memory(stored.results[0].memory_id, user_id=f"u-{TOKEN}")
    assert found.memory.run_id == TOKEN


@pytest.mark.anyio
async def test_a_text_of_hidden_characters_alone_says_nothing(memory: AsyncMemory):
    for call in (memory.remember("\u200b\u2060"), memory.record_outcome("\u202e")):
        with pytest.raises(InvalidInput, match="holds only characters that nobody sees"):
            await call
    stored = await memory.remember("Hello", tags=["\u200b", "a"], entities=["\ufeff"])
    (found,) = (await memory.list_memories()).memories
    assert (found.tags, found.entities) == (["a"], [])
    assert stored.degraded


@pytest.mark.anyio
async def test_the_text_of_an_export_comes_back_as_it_was(memory: AsyncMemory, settings: Settings):
    await memory.remember(f"The token is {TOKEN}, ไทย\u200bแลนด์ 👩‍💻", tags=["a"])
    lines = [line.encode() async for line in memory.export_lines()]
    elsewhere = settings.model_copy(update={"data_dir": settings.data_dir.with_name("other")})
    async with AsyncMemory.open(elsewhere) as other:
        taken = await other.import_lines(lines)
        assert (taken.imported, taken.degraded) == (1, [])
        assert [line.encode() async for line in other.export_lines()][1:] == lines[1:]
    assert set(json.loads(taken.model_dump_json())) == {"imported", "duplicates", "errors"}
