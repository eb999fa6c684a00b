"""Let a language model read messages that wait; what it does not read goes on waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mem_mcp.api.models import Memory, Scope
from mem_mcp.api.remember import Progress
from mem_mcp.extraction.material import ExtractionProgress, material
from mem_mcp.extraction.pending import content_of_row, request_of, still_waiting
from mem_mcp.extraction.pictures import Content, described
from mem_mcp.extraction.pipeline import infer
from mem_mcp.llm import Gateway
from mem_mcp.runtime import Runtime
from mem_mcp.store import Version
from mem_mcp.text import content_hash
from mem_mcp.times import utc_now
from mem_mcp.writing.insert import IdempotencyKey
from mem_mcp.writing.versions import next_version, with_embedding

_AS_GIVEN = {"status": "active", "reason": None, "source": None}
"""What a message that waits is without: the note of its request."""


async def read_messages(
    runtime: Runtime,
    gateway: Gateway,
    scope: Scope,
    rows: Sequence[Version],
    contents: Sequence[Content],
    texts: Mapping[str, str],
    *,
    instructions: str,
    request: IdempotencyKey | None,
    on_progress: Progress | None,
) -> ExtractionProgress:
    """Let the model read messages that wait, and describe their pictures.

    Args:
        runtime: what to work with.
        gateway: to the model.
        scope: of the messages.
        rows: the messages as they wait.
        contents: what each holds, where there are pictures.
        texts: what a message says in full, by memory id, where its row leaves secrets out.
        instructions: those of the call.
        request: the caller's key, if any.
        on_progress: is told how many parts are done.
    """
    failure = None
    memories = [
        with_text(row.memory, texts.get(row.memory.memory_id, row.memory.text)) for row in rows
    ]
    if any(content.pictures for content in contents):
        contents, failure = await described(runtime, gateway, contents)
        memories = worded(memories, contents)
    given = material(
        scope,
        [memory.model_copy(update=_AS_GIVEN) for memory in memories],
        instructions=instructions,
        request=request,
        waited=rows,
    )
    progress = ExtractionProgress()
    if failure is None:
        await infer(runtime, gateway, given, progress, on_progress)
    else:
        note = f"the language model did not describe a picture, so all of it waits: {failure}"
        progress.left, progress.degraded = [*given.said], [note]
    progress.unread_rows = [
        await _described_row(runtime, rows[place], contents[place]) if contents else rows[place]
        for place in progress.unread(given)
    ]
    return progress


async def _described_row(runtime: Runtime, row: Version, content: Content) -> Version:
    """Keep the descriptions of pictures with a message that goes on waiting: they were paid for."""
    if content == content_of_row(row.memory):
        return row
    fields = {"text": content.text, **still_waiting(request_of(row.memory), content)}
    vector, fields = await with_embedding(runtime, row, fields)
    whose = Scope(user_id=row.memory.actor or row.memory.user_id)
    closed, opened = next_version(row, "UPDATE", whose, utc_now(), fields=fields, vector=vector)
    return opened if await runtime.store.apply([opened], close=[closed]) else row


def worded(memories: Sequence[Memory], contents: Sequence[Content]) -> list[Memory]:
    """Return memories with the texts of their contents."""
    return [
        memory.model_copy(update={"text": content.text, "content_hash": content_hash(content.text)})
        for memory, content in zip(memories, contents, strict=True)
    ]


def with_text(memory: Memory, text: str) -> Memory:
    """Return a memory with another text."""
    return memory.model_copy(update={"text": text, "content_hash": content_hash(text)})
