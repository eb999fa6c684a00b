"""What is searched and shown of an outcome: the task, what happened, and the lesson."""

from __future__ import annotations

_HAPPENED = "\nWhat happened: "
_LESSON = "\nLesson: "


def compose(task: str, summary: str, lesson: str) -> str:
    """Return the text of an outcome; it begins with the task as it was given."""
    happened = f"{_HAPPENED}{summary}" if summary.strip() else ""
    learnt = f"{_LESSON}{lesson}" if lesson.strip() else ""
    return f"{task}{happened}{learnt}"


def parts(text: str) -> tuple[str, str, str]:
    """Return the task, what happened and the lesson of an outcome; "" where one is absent."""
    rest, _, lesson = text.rpartition(_LESSON) if _LESSON in text else (text, "", "")
    task, _, summary = rest.partition(_HAPPENED)
    return task.strip(), summary.strip(), lesson.strip()
