"""What a model learns from conversations, each in a store of its own."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from mem_mcp.api.models import Remembered
from mem_mcp.config import Settings, load_settings
from mem_mcp.embedding import BundledEmbedder, CachedEmbedder, Embedder
from mem_mcp.errors import InvalidInput, LLMError
from mem_mcp.evaluation import provenance
from mem_mcp.evaluation.extraction.cases import Recorded, Script, load_answers, load_scripts
from mem_mcp.evaluation.extraction.recorded_llm import Replay
from mem_mcp.evaluation.extraction.report import (
    Conversation,
    ExtractionReport,
    asked,
    by_category,
    learnt,
)
from mem_mcp.evaluation.extraction.scores import Made, lost, nothing_made, score
from mem_mcp.evaluation.harness import Progress
from mem_mcp.evaluation.report import Data
from mem_mcp.llm import Gateway
from mem_mcp.memory import AsyncMemory
from mem_mcp.runtime import Runtime
from mem_mcp.store import open_store
from mem_mcp.text import said_by

# How `degraded` names an operation that does not count; of single fields it says "X was left out".
_DROPPED = re.compile(r" was left out(?::|, as not quite said:) ")

_UNREAD = "the language model did not read it"
"""How `degraded` names what the model was asked for in vain."""
_EXAMPLE = "tests/data/extraction.jsonl"
"""In the source tree; the package has no conversations."""


async def run_extraction(
    data: Path | None,
    answers: Path | None = None,
    *,
    seed: int = 0,
    first: int | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> ExtractionReport:
    """Let the configured model learn from conversations, or take recorded answers for its own.

    Args:
        data: the cases; see `Script`.
        answers: what was answered to each; None asks the model.
        seed: for the report; nothing is drawn.
        first: only so many conversations.
        settings: those of the memory, but for the place of its store; None reads them as usual.
        progress: told of each conversation.

    Raises:
        InvalidInput: a file is not named or cannot be used, or there is neither model nor answers.
    """
    if data is None:
        raise InvalidInput("data", f"name a file of conversations, such as {_EXAMPLE}")
    if first is not None and first < 1:
        raise InvalidInput("first", f"must be at least 1, not {first}")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")
    every = load_scripts(data)
    recorded = load_answers(answers, every) if answers else None
    settings = settings or load_settings()
    if recorded is not None:
        # What was recorded is of no model of these settings, and nothing but extractions.
        no_model = settings.llm.model_copy(update={"model": "", "verify": False})
        settings = settings.model_copy(update={"llm": no_model})
    elif not settings.llm.model:
        raise InvalidInput(
            "answers", "no language model is configured: set llm.model, or give --answers"
        )
    scripts = every[:first]
    rows = await _rows(settings, scripts, recorded, progress)
    return ExtractionReport(
        suite="extraction",
        seed=seed,
        data=Data(
            file=data.name,
            sha256=_sha256(data),
            memories=sum(len(script.known) for script in scripts),
            skipped=0,
        ),
        settings=provenance.settings_of(settings),
        versions=provenance.versions(),
        commit=provenance.commit(),
        answers=answers.name if answers else None,
        answers_sha256=_sha256(answers) if answers else None,
        overall=learnt(rows),
        categories=by_category(rows),
        asked=asked(rows),
        rows=rows,
    )


async def _rows(
    settings: Settings,
    scripts: Sequence[Script],
    recorded: dict[str, Recorded] | None,
    progress: Progress,
) -> list[Conversation]:
    bundled = BundledEmbedder()
    embedder = CachedEmbedder(bundled)
    # One gateway for all: it learns which form of answer the model takes.
    model = Gateway(settings.llm) if recorded is None else None
    rows = []
    try:
        if model:
            with suppress(LLMError):  # what is wrong with it, each case says
                await model.warm()
        for number, script in enumerate(scripts, start=1):
            known = (recorded or {}).get(script.name)
            gateway = model or Replay(known.answers if known else [], known.model if known else "")
            rows.append(await _row(settings, script, embedder, gateway))
            progress(number, len(scripts))
    finally:
        if model:
            await model.aclose()
        bundled.close()
    return rows


async def _row(
    settings: Settings, script: Script, embedder: Embedder, gateway: Gateway
) -> Conversation:
    """Run one case. Whatever it breaks is a row."""
    try:
        async with _memory(settings, embedder, gateway) as memory:
            return await _learn(memory, script, gateway)
    except Exception as error:  # noqa: BLE001 - a finding, not the end of the run
        why = f"{type(error).__name__}: {error}"
        return _failed(script, why)


def _failed(script: Script, why: str) -> Conversation:
    return Conversation(
        case=script.name, error=why, category=script.category, counts=nothing_made(script)
    )


async def _learn(memory: AsyncMemory, script: Script, gateway: Gateway) -> Conversation:
    known = [one.model_dump() for one in script.known]
    stored = [
        await memory.remember(
            one["text"], kind=one["kind"], occurred_at=one["occurred_at"], infer="never"
        )
        for one in known
    ]
    places = {one.results[0].memory_id: place for place, one in enumerate(stored)}
    start = time.perf_counter()
    done = await memory.remember(
        messages=[one.model_dump(exclude_none=True) for one in script.messages]
    )
    took = time.perf_counter() - start
    changes = [await _made(memory, one, places) for one in done.results if one.event != "NONE"]
    kept = [one for one in changes if one.memory and one.memory.status == "pending"]
    made = [one for one in changes if one not in kept]
    if any(_UNREAD in note for note in done.degraded):
        failed = _failed(script, "; ".join(done.degraded))
        return failed.model_copy(update={"llm": done.llm})
    scored = score(script, made)
    now_stored = (await memory.list_memories(limit=200)).memories
    texts = [said_by(one.actor_id or one.role, one.text) for one in now_stored]
    counts = scored.counts.model_copy(update={"lost": lost(script, texts)})
    unasked = gateway.left if isinstance(gateway, Replay) else 0
    return Conversation(
        case=script.name,
        category=script.category,
        counts=counts,
        wrong=scored.wrong,
        degraded=[
            *done.degraded,
            *([f"{unasked} recorded answers were not asked for"] if unasked else []),
        ],
        dropped=sum(_DROPPED.search(note) is not None for note in done.degraded),
        seconds=round(took, 4),
        llm=done.llm,
    )


async def _made(memory: AsyncMemory, one: Remembered, places: dict[str, int]) -> Made:
    is_deleted = one.event == "DELETE"
    now = None if is_deleted else (await memory.get_memory(one.memory_id)).memory
    return Made(
        event=one.event,
        text=one.text,
        target=places.get(one.memory_id),
        memory=now,
        is_written=not is_deleted and one.text != one.previous_text,
    )


@asynccontextmanager
async def _memory(
    settings: Settings, embedder: Embedder, gateway: Gateway
) -> AsyncIterator[AsyncMemory]:
    """Open a memory with a gateway of one's own, whose store is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="mem-mcp-evaluate-") as folder:
        here = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "storage_uri": "",
                # What a case leaves waiting is a failure, not to be mended behind its back.
                "llm": settings.llm.model_copy(update={"background": False}),
            }
        )
        async with open_store(
            here.data_dir,
            dimension=embedder.dimension,
            embedder=embedder.identity,
            durable=here.store.durability == "fsync",
        ) as store:
            runtime = replace(Runtime.of(here, store, embedder), gateway=gateway)
            async with AsyncMemory.over(runtime) as memory:
                yield memory


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
