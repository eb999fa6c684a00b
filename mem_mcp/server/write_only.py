"""Answers to who may write and not read: without what was stored before."""

from __future__ import annotations

from pydantic import BaseModel

from mem_mcp.api.models import FeedbackResult, RememberResult


def without_stored(result: BaseModel) -> BaseModel:
    """Return a result of a tool that writes, without the texts of what is stored."""
    if isinstance(result, RememberResult):
        # The text of what is new is what the caller said.
        bare = [
            one.model_copy(
                update={
                    "text": one.text if one.event == "ADD" else "",
                    "previous_text": None,
                    "similar": [],
                }
            )
            for one in result.results
        ]
        return result.model_copy(update={"results": bare})
    if isinstance(result, FeedbackResult):
        errors = [one.model_copy(update={"error": first_line(one.error)}) for one in result.errors]
        return result.model_copy(update={"errors": errors})
    return result


def first_line(problem: str) -> str:
    """Return what is wrong, without the lines that show which memories were meant."""
    return problem.partition("\n")[0]
