"""What a model's judgement of a log comes to, once its quotes are looked up there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mem_mcp.api.checks import MAX_ITEMS
from mem_mcp.api.models import Outcome
from mem_mcp.extraction.field_parsing import fraction_of, shortened, text_of
from mem_mcp.extraction.quotes import Passages
from mem_mcp.extraction.secrets import Secrets
from mem_mcp.prompts.judge import Judgement

_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Judged:
    """How a task ended, as far as its log shows it; "" and None where it does not."""

    outcome: Outcome
    confidence: float | None = None
    summary: str = ""
    lesson: str = ""
    """What to do, and what to do instead of what was done."""
    evidence: tuple[str, ...] = ()
    """Quotes that stand in the log."""
    dropped: tuple[str, ...] = ()
    """What of the answer does not count and why, in sentences."""


def judged(answer: Judgement, passages: Sequence[str], most_characters: int) -> Judged:
    """Turn a judgement, whatever it holds, into the fields of an outcome.

    Without a quote that stands in the log nothing was shown: the outcome is unknown, and there is
    no lesson. A quote that holds what looks like a secret shows the outcome, but is not kept.

    Args:
        answer: of a model.
        passages: of the log, as the model was shown them.
        most_characters: of the summary, and of the lesson.
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
    told = " ".join(part.strip() for part in (answer.lesson, answer.differently) if part)
    lesson = _kept(told, "its lesson", secrets, dropped)
    lesson = _text(lesson, "its lesson", most_characters, dropped)
    confidence = fraction_of(answer.confidence)
    if answer.confidence is not None and confidence is None:
        dropped.append("its confidence is not in 0..1")
    kept = (*evidence[:MAX_ITEMS],)
    if outcome != "unknown":
        return Judged(outcome, confidence, summary, lesson, kept, (*dropped,))
    # What a model says of an outcome that it made up is made up, too.
    told_so = answer.outcome.strip().lower() == "unknown"
    for name, text in (("summary", "" if told_so else summary), ("lesson", lesson)):
        if text:
            dropped.append(f"its {name} was left out, as the outcome is unknown")
    return Judged(outcome, None, summary if told_so else "", "", kept, (*dropped,))


def _outcome(word: str, is_shown: bool, dropped: list[str]) -> Outcome:
    found = next((known for known in _OUTCOMES if known == word.strip().lower()), None)
    if found is None:
        dropped.append(f"there is no outcome {shortened(word)}")
    elif found != "unknown" and not is_shown:
        dropped.append(f"the outcome {found!r} has no evidence in the logs")
        found = None
    return found or "unknown"


def _kept(value: str, name: str, secrets: Secrets, dropped: list[str]) -> str:
    """Return a text, or "" for one that holds what looks like a secret."""
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
