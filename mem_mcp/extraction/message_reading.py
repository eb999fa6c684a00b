"""Let a language model read messages that wait; what it does not read goes on waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mem_mcp.api.models import Memory, Scope
from mem_mcp.api.progress import PartsReport, Progress
from mem_mcp.extraction.material import ExtractionProgress, material
from mem_mcp.extraction.pending import content_of_row, failed_again, request_of, still_waiting
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
        on_progress: is told when each picture and each part begins and ends.
    """
    failure = None
    memories = [
        with_text(row.memory, texts.get(row.memory.memory_id, row.memory.text)) for row in rows
    ]
    pictures = sum(len(content.pictures) for content in contents)
    report = PartsReport(on_progress, pictures + 1)
    if pictures:
        contents, failure = await described(runtime, gateway, contents, report)
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
        await infer(runtime, gateway, given, progress, report, pictures)
    else:
        note = f"the language model did not describe a picture, so all of it waits: {failure}"
        progress.left, progress.degraded = [*given.said], [note]
        progress.failure = failure
        progress.refused = [*given.said] if failure.of_request else []
    failed = progress.failed(given)
    unread = [
        (rows[place], contents[place] if contents else None, place in failed)
        for place in progress.unread(given)
    ]
    progress.unread_rows = await _waiting_on(runtime, unread)
    return progress


async def _waiting_on(
    runtime: Runtime, unread: Sequence[tuple[Version, Content | None, bool]]
) -> list[Version]:
    """Keep with messages that go on waiting what was paid for, and count what the model failed at.

    Args:
        runtime: what to work with.
        unread: each with what it holds now, where there are pictures, and whether the model gave
            no usable answer to it.

    Returns:
        The current rows.
    """
    pairs = []
    for row, content, has_failed in unread:
        fields = {}
        if content is not None and content != content_of_row(row.memory):
            fields = {"text": content.text, **still_waiting(request_of(row.memory), content)}
        if has_failed:
            changed = row.memory.model_copy(update=fields)
            fields = {**fields, **failed_again(changed, utc_now())}
        if not fields:
            continue
        vectors, fields = await with_embedding(runtime, row, fields)
        fields = {"reason": row.memory.reason, **fields}
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        pairs.append(next_version(row, "UPDATE", whose, utc_now(), fields=fields, vectors=vectors))
    opened = [new for _, new in pairs]
    if opened and await runtime.store.apply(opened, close=[old for old, _ in pairs]):
        now = {new.memory.memory_id: new for new in opened}
        return [now.get(row.memory.memory_id, row) for row, _, _ in unread]
    return [row for row, _, _ in unread]


def worded(memories: Sequence[Memory], contents: Sequence[Content]) -> list[Memory]:
    """Return memories with the texts of their contents."""
    return [
        memory.model_copy(update={"text": content.text, "content_hash": content_hash(content.text)})
        for memory, content in zip(memories, contents, strict=True)
    ]


def with_text(memory: Memory, text: str) -> Memory:
    """Return a memory with another text."""
    return memory.model_copy(update={"text": text, "content_hash": content_hash(text)})
