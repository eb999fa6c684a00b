"""Runs the cases: a model learns from conversations, each in a store of its own."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, closing, suppress
from pathlib import Path

from mem_mcp.api.models import Remembered
from mem_mcp.config import LLMSettings, Settings, load_settings
from mem_mcp.embedding import BundledEmbedder, CachedEmbedder, Embedder
from mem_mcp.errors import InvalidInput, LLMBadOutput, LLMError
from mem_mcp.evaluation.extraction.cases import (
    RecordedAnswers,
    Script,
    load_answers,
    load_scripts,
)
from mem_mcp.evaluation.extraction.report import ExtractionReport, ScoredConversation, summary
from mem_mcp.evaluation.extraction.scores import MemoryChange, count_lost, nothing_made, score
from mem_mcp.evaluation.harness import (
    Progress,
    check_options,
    described,
    memory_with,
    temporary_settings,
)
from mem_mcp.evaluation.report import provenance, sha256
from mem_mcp.llm import Gateway
from mem_mcp.llm.gateway import Completion
from mem_mcp.llm.structured_output import Answer, Message
from mem_mcp.llm.usage import Ledger, Usage
from mem_mcp.memory import AsyncMemory
from mem_mcp.text import said_by

# The note in `degraded` on an operation that does not count; a dropped field has "X was left out".
_DROPPED = re.compile(r" was left out(?::|, as not quite said:) ")

_UNREAD = "the language model did not read it"
"""How `degraded` names what the model was asked for in vain."""

_EXAMPLE = "tests/data/extraction.jsonl"
"""In the source tree; the package has no conversations."""


class RecordedModel(Gateway):
    """Gives recorded answers, one for each request; sends nothing and costs nothing."""

    def __init__(self, recorded: RecordedAnswers) -> None:
        super().__init__(LLMSettings(model=recorded.model), Ledger())
        self._left = deque(recorded.answers)

    @property
    def left(self) -> int:
        """How many answers were not asked for."""
        return len(self._left)

    async def complete(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - the answer is given already
        answer: type[Answer],
        *,
        max_output_tokens: int | None = None,  # noqa: ARG002 - likewise
        partial: bool = False,  # noqa: ARG002 - likewise
    ) -> Completion[Answer]:
        """Return the next answer; see `Gateway.complete`.

        Raises:
            LLMBadOutput: no answer is left.
        """
        with self.turn() as share:
            share.add(Usage(calls=1))
            if not self._left:
                raise LLMBadOutput("no answer to this was recorded")
            content = answer.model_validate(self._left.popleft().model_dump())
            return Completion(content, share.usage, "recorded")

    async def context_window(self) -> int | None:
        """Return None: the context window of the recorded model is not known."""
        return None


async def run_extraction(
    data: Path | None,
    answers: Path | None = None,
    *,
    seed: int = 0,
    first: int | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> ExtractionReport:
    """Let the configured model learn from conversations, or take recorded answers in its place.

    Args:
        data: the cases; see `Script`.
        answers: the recorded answers to each case; None asks the model.
        seed: for the report; nothing is drawn.
        first: only so many conversations.
        settings: of the memory, but for the place of its store; None reads them as usual.
        progress: is called after each conversation.

    Raises:
        InvalidInput: a file is not named or cannot be used, or there is neither model nor answers.
    """
    if data is None:
        raise InvalidInput("data", f"name a file of conversations, such as {_EXAMPLE}")
    check_options(seed, first)
    every = load_scripts(data)
    recorded = load_answers(answers, every) if answers else None
    settings = settings or load_settings()
    if recorded is not None:
        # The recorded answers are not of these settings' model, and only to extraction.
        no_model = settings.llm.model_copy(update={"model": "", "verify": False})
        settings = settings.model_copy(update={"llm": no_model})
    elif not settings.llm.model:
        raise InvalidInput(
            "answers", "no language model is configured: set llm.model, or give --answers"
        )
    scripts = every[:first]
    memories = sum(len(script.known) for script in scripts)
    rows = await _rows(settings, scripts, recorded, progress)
    return ExtractionReport(
        **provenance("extraction", seed, settings, data, memories=memories),
        **summary(rows),
        answers=answers.name if answers else None,
        answers_sha256=sha256(answers) if answers else None,
    )


async def _rows(
    settings: Settings,
    scripts: Sequence[Script],
    recorded: dict[str, RecordedAnswers] | None,
    progress: Progress,
) -> list[ScoredConversation]:
    rows = []
    # All cases share one gateway: it learns in which form the model gives structured answers.
    async with aclosing(Gateway(settings.llm)) as model:
        with closing(BundledEmbedder()) as bundled:
            embedder = CachedEmbedder(bundled)
            if recorded is None:
                with suppress(LLMError):  # each case reports what is wrong with the model
                    await model.warm()
            for number, script in enumerate(scripts, start=1):
                if recorded is None:
                    gateway = model
                else:
                    nothing = RecordedAnswers(case=script.name, answers=[])
                    gateway = RecordedModel(recorded.get(script.name, nothing))
                rows.append(await _row(settings, script, embedder, gateway))
                progress(number, len(scripts))
    return rows


async def _row(
    settings: Settings, script: Script, embedder: Embedder, gateway: Gateway
) -> ScoredConversation:
    """Run one case; whatever goes wrong becomes the row's error."""
    # What a case leaves pending is a failure that must show: no background work may repair it.
    llm = settings.llm.model_copy(update={"background": False})
    try:
        with temporary_settings(settings.model_copy(update={"llm": llm})) as own:
            async with memory_with(own, embedder, gateway) as (memory, _):
                return await _learn(memory, script, gateway)
    except Exception as error:  # noqa: BLE001 - a result, not the end of the run
        return _failed(script, described(error))


def _failed(script: Script, error: str) -> ScoredConversation:
    return ScoredConversation(
        case=script.name, error=error, category=script.category, counts=nothing_made(script)
    )


async def _learn(memory: AsyncMemory, script: Script, gateway: Gateway) -> ScoredConversation:
    places: dict[str, int] = {}
    for place, before in enumerate(script.known):
        stored = await memory.remember(
            before.text, kind=before.kind, occurred_at=before.occurred_at, infer="never"
        )
        places[stored.results[0].memory_id] = place
    start = time.perf_counter()
    result = await memory.remember(
        messages=[message.model_dump(exclude_none=True) for message in script.messages]
    )
    seconds = time.perf_counter() - start
    changes = [
        await _change(memory, each, places) for each in result.results if each.event != "NONE"
    ]
    if any(_UNREAD in note for note in result.degraded):
        row = _failed(script, "; ".join(result.degraded))
        return row.model_copy(update={"llm": result.llm})
    kept = [change for change in changes if change.memory and change.memory.status == "pending"]
    counts, wrong = score(script, [change for change in changes if change not in kept])
    memories = (await memory.list_memories(limit=200)).memories
    texts = [said_by(each.actor_id or each.role, each.text) for each in memories]
    counts = counts.model_copy(update={"lost": count_lost(script, texts)})
    degraded = list(result.degraded)
    if isinstance(gateway, RecordedModel) and gateway.left:
        degraded.append(f"{gateway.left} recorded answers were not asked for")
    return ScoredConversation(
        case=script.name,
        category=script.category,
        counts=counts,
        wrong=wrong,
        degraded=degraded,
        dropped=sum(_DROPPED.search(note) is not None for note in result.degraded),
        seconds=round(seconds, 4),
        llm=result.llm,
    )


async def _change(memory: AsyncMemory, result: Remembered, places: dict[str, int]) -> MemoryChange:
    is_deleted = result.event == "DELETE"
    now = None if is_deleted else (await memory.get_memory(result.memory_id)).memory
    return MemoryChange(
        event=result.event,
        text=result.text,
        target=places.get(result.memory_id),
        memory=now,
        is_written=not is_deleted and result.text != result.previous_text,
    )
