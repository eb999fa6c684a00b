"""The text of an outcome: what was tried, what happened, and what it teaches."""

LESSON = "\nLesson: "
"""What stands before the lesson; an outcome without it has none."""
_HAPPENED = "\nWhat happened: "


def outcome_text(task: str, summary: str, lesson: str) -> str:
    """Return the text of an outcome; it begins with the task as it was given."""
    happened = f"{_HAPPENED}{summary}" if summary.strip() else ""
    learnt = f"{LESSON}{lesson}" if lesson.strip() else ""
    return f"{task}{happened}{learnt}"


def outcome_parts(text: str) -> tuple[str, str, str]:
    """Return the task, the summary and the lesson in an outcome's text; "" for an absent one."""
    rest, _, lesson = text.rpartition(LESSON) if LESSON in text else (text, "", "")
    task, _, summary = rest.partition(_HAPPENED)
    return task.strip(), summary.strip(), lesson.strip()
