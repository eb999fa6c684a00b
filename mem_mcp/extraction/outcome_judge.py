"""Judge how a task ended, from its log.

Each quote is looked up in the log. Without a quote that stands there the outcome is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from mem_mcp.api.checks import MAX_ITEMS
from mem_mcp.api.models import Memory, Outcome
from mem_mcp.api.outcome_text import outcome_parts, outcome_text
from mem_mcp.extraction.field_parsing import fraction_of, shortened, text_of
from mem_mcp.extraction.quotes import Passages, words
from mem_mcp.extraction.secrets import Secrets
from mem_mcp.extraction.subject_match import EMPTY_WORDS
from mem_mcp.extraction.text_splitter import log_excerpt
from mem_mcp.llm import Gateway
from mem_mcp.prompts.judge import Judgement, messages, short_form
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import content_hash

JUDGED = "judged by "
"""Beginning of the reason of a version whose outcome a model judged."""
_LOG_TOKENS = 8_000
# A small model on one's own machine reads and writes slowly.
_SMALL_LOG_TOKENS = 2_000
_SMALL_ANSWER_TOKENS = 500
_REPEATS = 0.8
"""Share of the content words of a sentence that were said before, from which on it only repeats."""
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n+")  # noqa: RUF001
_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class JudgedOutcome:
    """How a task ended, as its log shows it; "" and None where the log shows nothing."""

    outcome: Outcome
    confidence: float | None = None
    summary: str = ""
    lesson: str = ""
    """What to do next time, and what to do instead."""
    evidence: tuple[str, ...] = ()
    """Quotes that the log holds."""
    dropped: tuple[str, ...] = ()
    """Sentences: what was left out of the answer, and why."""


async def judge(
    runtime: Runtime, gateway: Gateway, memory: Memory, own: tuple[str, str]
) -> tuple[str, dict[str, Any], list[str]]:
    """Let the model judge an outcome by its logs.

    Args:
        runtime: what to work with.
        gateway: to the model.
        memory: the outcome.
        own: the summary and the lesson that somebody wrote, which stay; "" for none.

    Returns:
        The model, the fields to change, and sentences about parts of the answer that do not count.

    Raises:
        LLMError: the model gave no usable answer.
    """
    task, _, _ = outcome_parts(memory.text)
    small = gateway.is_small
    shown = log_excerpt([memory.source or ""], _SMALL_LOG_TOKENS if small else _LOG_TOKENS)
    asked = messages(
        task,
        shown.text,
        instructions=runtime.instructions(),
        guidance=runtime.prompts.judge,
    )
    with span("model"):
        done = await gateway.complete(
            asked,
            short_form(shown.passages) if small else Judgement,
            max_output_tokens=_SMALL_ANSWER_TOKENS if small else None,
        )
    most = runtime.settings.remember.max_characters
    found = check_judgement(done.answer, shown.passages, most)
    text, left_out = _composed(task, own, found, most)
    fields = {
        "outcome_type": found.outcome,
        "confidence": found.confidence,
        "evidence": [*found.evidence],
        "text": text,
        "content_hash": content_hash(text),
        "status": "active",
        "reason": f"{JUDGED}{done.model}",
    }
    return done.model, fields, [*found.dropped, *left_out]


def _composed(
    task: str, given: tuple[str, str], found: JudgedOutcome, most: int
) -> tuple[str, list[str]]:
    """Return a text that is not too long, and notes about the model's parts that did not fit.

    The lesson goes before the summary, because other tasks learn from it.
    """
    both = (found.summary, found.lesson)
    for new in (both, ("", found.lesson), (found.summary, ""), ("", "")):
        summary, lesson = (own or told for own, told in zip(given, new, strict=True))
        text = outcome_text(task, summary, lesson)
        if len(text) <= most:
            break
    names = ("summary", "lesson")
    return text, [
        f"its {name} was left out: the text would be over {most:,} characters"
        for name, own, told, kept in zip(names, given, both, new, strict=True)
        if told and not (own or kept)
    ]


def check_judgement(
    answer: Judgement, passages: Sequence[str], most_characters: int
) -> JudgedOutcome:
    """Check a judgement against its log. Never raises.

    Without a quote that the log holds, the outcome is unknown and there is no lesson. A quote that
    seems to hold a secret supports the outcome, but is not kept.

    Args:
        answer: what the model answered.
        passages: the parts of the log that the model was shown.
        most_characters: longest summary, and longest lesson.
    """
    shown = Passages(passages)
    quotes = list(dict.fromkeys(answer.evidence))
    evidence = [quote for quote in quotes if shown.holding(quote) and text_of(quote, len(quote))]
    dropped = [
        f"the quote {shortened(quote)} is not in the logs"
        for quote in quotes
        if quote not in evidence
    ]
    outcome = _outcome(answer.outcome, bool(evidence), dropped)
    secrets = Secrets(passages)
    evidence = [quote for quote in evidence if _kept(quote, "a quote", secrets, dropped)]
    summary = _kept(answer.summary, "its summary", secrets, dropped)
    summary = _text(summary, "its summary", most_characters, dropped)
    told = _once(answer.lesson or "", answer.differently or "")
    lesson = _kept(told, "its lesson", secrets, dropped)
    lesson = _text(lesson, "its lesson", most_characters, dropped)
    confidence = fraction_of(answer.confidence)
    if answer.confidence is not None and confidence is None:
        dropped.append("its confidence is not in 0..1")
    kept = (*evidence[:MAX_ITEMS],)
    if outcome != "unknown":
        return JudgedOutcome(outcome, confidence, summary, lesson, kept, (*dropped,))
    # What a model says of an outcome that it made up is made up, too.
    told_so = answer.outcome.strip().lower() == "unknown"
    for name, text in (("summary", "" if told_so else summary), ("lesson", lesson)):
        if text:
            dropped.append(f"its {name} was left out, as the outcome is unknown")
    return JudgedOutcome(outcome, None, summary if told_so else "", "", kept, (*dropped,))


def _once(*texts: str) -> str:
    """Return the sentences of some texts, each said once, though perhaps in other words."""
    kept: list[str] = []
    said: set[str] = set()
    for sentence in (one.strip() for text in texts for one in _SENTENCES.split(text)):
        mine = words(sentence) - EMPTY_WORDS
        if sentence and not (kept and len(mine & said) >= _REPEATS * len(mine)):
            kept.append(sentence)
            said |= mine
    return " ".join(kept)


def _outcome(word: str, is_shown: bool, dropped: list[str]) -> Outcome:
    found = next((known for known in _OUTCOMES if known == word.strip().lower()), None)
    if found is None:
        dropped.append(f"there is no outcome {shortened(word)}")
    elif found != "unknown" and not is_shown:
        dropped.append(f"the outcome {found!r} has no evidence in the logs")
        found = None
    return found or "unknown"


def _kept(value: str, name: str, secrets: Secrets, dropped: list[str]) -> str:
    """Return the text; "" if it seems to hold a secret."""
    what = secrets.held_by([value])
    if what is None:
        return value
    dropped.append(f"{name} was left out: it holds what looks like a {what}")
    return ""


def _text(value: str, name: str, most_characters: int, dropped: list[str]) -> str:
    text = text_of(value, most_characters)
    if text is None and value.strip():
        dropped.append(f"{name} is too long or cannot be stored")
    return text or ""
