"""Texts made of a memory: the one that is embedded, and the one of an outcome."""

from __future__ import annotations

from mem_mcp.api.models import Memory
from mem_mcp.text import said_by

_HAPPENED = "\nWhat happened: "
_LESSON = "\nLesson: "


def embedded_text(memory: Memory) -> str:
    """Return the text that is embedded: the memory's, with the speaker's name before it."""
    return said_by(memory.actor_id, memory.text)


def outcome_text(task: str, summary: str, lesson: str) -> str:
    """Return the text of an outcome; it begins with the task as it was given."""
    happened = f"{_HAPPENED}{summary}" if summary.strip() else ""
    learnt = f"{_LESSON}{lesson}" if lesson.strip() else ""
    return f"{task}{happened}{learnt}"


def outcome_parts(text: str) -> tuple[str, str, str]:
    """Return the task, the summary and the lesson in an outcome's text; "" for an absent one."""
    rest, _, lesson = text.rpartition(_LESSON) if _LESSON in text else (text, "", "")
    task, _, summary = rest.partition(_HAPPENED)
    return task.strip(), summary.strip(), lesson.strip()
