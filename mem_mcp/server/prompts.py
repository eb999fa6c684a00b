"""MCP prompts: what a person picks to start or to finish a task."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import UserMessage
from mcp.types import INVALID_PARAMS
from pydantic import Field

from mem_mcp.api import checks
from mem_mcp.api.models import Outcome
from mem_mcp.api.words import OUTCOMES, is_absent, word
from mem_mcp.errors import MemError
from mem_mcp.server import render
from mem_mcp.server.lazy_memory import LazyMemory

Task = Annotated[str, Field(description="What is to be done, in plain words")]
TaskType = Annotated[str, Field(description="Only lessons of this sort of task")]
Tags = Annotated[str, Field(description="Only memories with any of these, separated by commas")]
Ended = Annotated[str, Field(description="success, failure, partial or unknown")]
Notes = Annotated[str, Field(description="What happened")]

_LONGEST_TASK = 50_000
_ENDINGS = get_args(Outcome)
# Lessons and outcomes come with recall_lessons.
_KNOWLEDGE = ("fact", "message", "procedure")


def add_prompts(server: MCPServer[Any], lazy: LazyMemory) -> None:
    """Offer the prompts.

    Args:
        server: gets the prompts.
        lazy: the memory that they recall from.
    """

    @server.prompt(title="Start a task with what is known")
    async def start_task(
        task: Task, task_type: TaskType = "", tags: Tags = ""
    ) -> list[UserMessage]:
        """Recall what is known about a task, and what earlier ones taught, before starting it."""
        chosen_tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
        try:
            memory = await lazy.of_caller("read")
            known = await memory.recall(task, tags=chosen_tags, kinds=_KNOWLEDGE)
            learned = await memory.recall_lessons(task, task_type=task_type.strip())
        except MemError as error:
            raise MCPError(code=INVALID_PARAMS, message=render.refused(str(error))) from error
        return [
            UserMessage(
                f"{render.given(task=task)}\n\n"
                f"From memory: {render.recalled(known, memory.zone)}\n\n"
                f"{render.lessons(learned)}"
            )
        ]

    @server.prompt(title="Finish a task and record what it taught")
    async def finish_task(task: Task, outcome: Ended = "", notes: Notes = "") -> list[UserMessage]:
        """Have the outcome of a task recorded, and feedback given on what was recalled for it."""
        try:
            checks.required_text(task, "task", _LONGEST_TASK)
            ended = "" if is_absent(outcome) else word(outcome, "outcome", _ENDINGS, OUTCOMES)
        except MemError as error:
            raise MCPError(code=INVALID_PARAMS, message=render.refused(str(error))) from error
        return [UserMessage(_finishing(task, ended, notes.strip()))]


def _finishing(task: str, outcome: str, notes: str) -> str:
    ended = outcome or f"one of {', '.join(_ENDINGS)}"
    return "\n".join(
        [
            render.given(task=task, outcome=outcome, notes=notes),
            "",
            "This task has ended. Record it, so that the next one goes better:",
            f"1. Call record_outcome: the task, its outcome ({ended}), a summary of what happened "
            "and why, and as lesson what to do or avoid next time, so that it stands alone. Name "
            "in used_memory_ids the memories that you acted on.",
            "2. Call give_feedback for recalled memories that helped (POSITIVE), did not help "
            "(NEGATIVE), or are wrong (VERY_NEGATIVE), each with its reason and its recall_id.",
        ]
    )
