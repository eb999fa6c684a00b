"""Let a language model read messages: a request for each window, a commit for each answer.

Windows are read side by side and committed in their order. A window whose answer is cut, or that
does not fit the model, is read again in smaller parts. A message that an answer did not read is
kept as it was given (`coverage` has the rule); so is what the model was not asked for in time.
"""

from __future__ import annotations

import asyncio

from mem_mcp.api.progress import PartsReport
from mem_mcp.errors import LLMError, LLMUnavailable
from mem_mcp.extraction.commit import apply_plan
from mem_mcp.extraction.material import ExtractionInput, ExtractionProgress, places
from mem_mcp.extraction.plan import Plan
from mem_mcp.extraction.window_reading import WindowResult, read_window, window_tokens
from mem_mcp.extraction.windows import ConversationWindow, windows
from mem_mcp.llm import Gateway
from mem_mcp.runtime import Runtime
from mem_mcp.writing.insert import stored_earlier


async def infer(
    runtime: Runtime,
    gateway: Gateway,
    material: ExtractionInput,
    learnt: ExtractionProgress,
    report: PartsReport,
    before: int = 0,
) -> None:
    """Let the model read everything, in order, each part seeing what the ones before it left.

    A part that it does not read is left to the caller; the others count.

    Args:
        runtime: what to work with.
        gateway: to the model.
        material: what is to be learnt from.
        learnt: is filled part by part, so that it tells how far this came if it raises.
        report: is told when each part begins, and ends, read or not.
        before: how many parts were done before.

    Raises:
        WriteConflict: other writers kept winning, or what waited was changed meanwhile.
    """
    if (
        not material.waited
        and material.request
        and (first := await stored_earlier(runtime.store, material.request))
    ):
        learnt.first = first
        return
    parts = windows(material.said, await window_tokens(runtime, gateway, material))
    learnt.ahead = [said for part in parts for said in part.new]
    report.expect(before + len(parts))
    slots = asyncio.Semaphore(runtime.settings.llm.concurrency)

    async def begun(part: ConversationWindow) -> list[WindowResult]:
        async with slots:
            await report.begin()
            return await read_window(runtime, gateway, material, part)

    reading = [asyncio.create_task(begun(part)) for part in parts]
    try:
        for number, (part, task) in enumerate(zip(parts, reading, strict=True)):
            outcomes = await task
            learnt.begun = True
            behind = learnt.ahead[len(part.new) :]
            plans: list[tuple[ConversationWindow, Plan]] = []
            for window, outcome in outcomes:
                if isinstance(outcome, Plan):
                    plans.append((window, outcome))
                    continue
                learnt.left += window.new
                learnt.refused += window.new if outcome.of_request else ()
                learnt.failure = outcome
                learnt.degraded.append(_told(outcome, number, len(parts)))
            for place, (window, made) in enumerate(plans, start=1):
                # A message may go on in the next plan.
                later = [said for each, _ in plans[place:] for said in each.new]
                learnt.ahead = [*later, *behind]
                read = _read_whole(material, learnt, window, made)
                learnt.first = await apply_plan(runtime, material, made, learnt, window, read)
                if learnt.first:
                    return
            learnt.ahead = behind
            await report.end()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


def _read_whole(
    material: ExtractionInput, learnt: ExtractionProgress, window: ConversationWindow, made: Plan
) -> list[int]:
    """Return the places of the messages that end with this window: read whole, and not kept."""
    kept = {place for one in made.keep for place in places(material, window.new[one])}
    learnt.kept |= kept
    mine = {place for said in window.new for place in places(material, said)}
    return sorted(mine - learnt.kept - set(learnt.unread(material)))


def _told(error: LLMError, number: int, parts: int) -> str:
    where = f"part {number + 1} of {parts}: " if parts > 1 else ""
    kind = f" ({error.reason})" if isinstance(error, LLMUnavailable) else ""
    return f"{where}the language model did not read it{kind}, so it waits as it was given: {error}"
