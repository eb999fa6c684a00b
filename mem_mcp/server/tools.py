"""Every operation that is offered as a tool, derived from its declared arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel

from mem_mcp.api.call import Argument, arguments_of
from mem_mcp.api.explore import Why
from mem_mcp.api.feedback import GiveFeedback
from mem_mcp.api.manage import Forget, GetMemory, ListMemories, UpdateMemory
from mem_mcp.api.models import (
    FeedbackResult,
    ForgetResult,
    GetResult,
    LessonsResult,
    ListResult,
    OutcomeResult,
    RecallResult,
    RememberResult,
    UpdateResult,
    WhyResult,
)
from mem_mcp.api.outcomes import RecallLessons, RecordOutcome
from mem_mcp.api.recall import Recall
from mem_mcp.api.remember import Remember
from mem_mcp.api.words import is_absent
from mem_mcp.current_client import through
from mem_mcp.errors import MemError
from mem_mcp.server import render
from mem_mcp.server.audit import Audit, Written
from mem_mcp.server.callers import caller, client_of
from mem_mcp.server.deadline import seconds_per_call, within
from mem_mcp.server.lazy_memory import LazyMemory
from mem_mcp.server.schemas import Schema, short_schema
from mem_mcp.server.structured import structured
from mem_mcp.server.token_file import TokenScope
from mem_mcp.server.write_only import first_line, without_stored


@dataclass(frozen=True, kw_only=True)
class Offer:
    """How an operation is offered as a tool."""

    title: str
    takes: type
    """Its declared arguments; their docstring is the tool's description."""
    returns: type[BaseModel]
    shown: Callable[..., str]
    """Makes the text for the model."""
    dated: bool = False
    """Whether that text has dates, and takes the time zone to show them in."""
    reads: bool = False
    destroys: bool = False
    repeatable: bool = True
    """Whether the same call again changes nothing more."""

    @property
    def scope(self) -> TokenScope:
        """What a token must allow for any call of it."""
        return "read" if self.reads else "write"


OFFERS = {
    "remember": Offer(
        title="Remember",
        takes=Remember,
        returns=RememberResult,
        shown=render.remembered,
        repeatable=False,
    ),
    "recall": Offer(
        title="Recall",
        takes=Recall,
        returns=RecallResult,
        shown=render.recalled,
        dated=True,
        reads=True,
    ),
    "record_outcome": Offer(
        title="Record an outcome",
        takes=RecordOutcome,
        returns=OutcomeResult,
        shown=render.recorded,
        repeatable=False,
    ),
    "recall_lessons": Offer(
        title="Recall lessons",
        takes=RecallLessons,
        returns=LessonsResult,
        shown=render.lessons,
        reads=True,
    ),
    "give_feedback": Offer(
        title="Give feedback", takes=GiveFeedback, returns=FeedbackResult, shown=render.rated
    ),
    "update_memory": Offer(
        title="Update a memory", takes=UpdateMemory, returns=UpdateResult, shown=render.updated
    ),
    "forget": Offer(
        title="Forget", takes=Forget, returns=ForgetResult, shown=render.forgotten, destroys=True
    ),
    "get_memory": Offer(
        title="Get a memory",
        takes=GetMemory,
        returns=GetResult,
        shown=render.got,
        dated=True,
        reads=True,
    ),
    "list_memories": Offer(
        title="List memories",
        takes=ListMemories,
        returns=ListResult,
        shown=render.listed,
        dated=True,
        reads=True,
    ),
    "why": Offer(
        title="Explain an answer",
        takes=Why,
        returns=WhyResult,
        shown=render.explained,
        reads=True,
    ),
}
"""Offers by tool name; each tool has the name of the memory's method that it calls."""


def tools(lazy: LazyMemory, names: Sequence[str]) -> list[Tool]:
    """Return the tools of some operations.

    Args:
        lazy: the memory behind them.
        names: which; see OFFERS.

    Raises:
        ConfigError: the file where writes are noted cannot be written.
    """
    audit = Audit(lazy.settings.audit)
    lazy.at_close(audit.close)
    return [_tool(lazy, audit, name, OFFERS[name]) for name in names]


class OperationTool(Tool):
    """A tool whose arguments are checked where every caller's are: by the memory's method."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,  # noqa: ARG002 - the SDK's signature
    ) -> CallToolResult:
        """Run the tool; what was refused or failed is an answer that says so in one sentence."""
        try:
            with through(client_of(context)):
                answer: CallToolResult = await self.fn(arguments, context)
        except MemError as error:
            problem = str(error)
            if (calling := caller()) is not None and "read" not in calling.scopes:
                problem = first_line(problem)
            return CallToolResult(content=[_text(render.refused(problem))], is_error=True)
        except MCPError:
            raise
        except Exception as error:  # an edge: logged by the SDK, and its text shown to nobody
            raise UnexpectedToolError(f"{self.name}: failed; the server's log says why") from error
        return answer


def _tool(lazy: LazyMemory, audit: Audit, name: str, offer: Offer) -> OperationTool:
    declared = arguments_of(offer.takes)
    reports = any(argument.name == "on_progress" for argument in declared)

    async def call(given: dict[str, Any], context: Context[Any, Any]) -> CallToolResult:
        with lazy.observed(name) as seen:
            calling = caller()
            memory = await lazy.of_caller(offer.scope)
            if calling is not None and name == "forget" and given.get("filters"):
                calling.require("read")  # how many match says what is stored
            user_id = given.get("user_id")
            default = calling.user_id if calling is not None else lazy.settings.user_id
            user_id = default if is_absent(user_id) else str(user_id)
            who = calling.user_id if calling is not None else user_id
            # Python's alone: no client can give a function.
            more = {"on_progress": context.report_progress} if reports else {}
            noting = nullcontext(Written()) if offer.reads else audit.writing(name, who, context)
            with noting as written:
                async with within(seconds_per_call(lazy.settings)):
                    result: BaseModel = await getattr(memory, name)(**{**given, **more})
                written.result(result)
            seen(result)
        if calling is not None and "read" not in calling.scopes:
            result = without_stored(result)
        text = offer.shown(result, memory.zone) if offer.dated else offer.shown(result)
        return CallToolResult(content=[_text(text)], structured_content=structured(result, user_id))

    return OperationTool(
        fn=call,
        name=name,
        title=offer.title,
        description=cleandoc(offer.takes.__doc__ or ""),
        parameters=_parameters(declared),
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=short_schema(offer.returns)),
        is_async=True,
        context_kwarg=None,
        annotations=ToolAnnotations(
            read_only_hint=offer.reads,
            destructive_hint=offer.destroys,
            idempotent_hint=offer.repeatable,
            open_world_hint=False,
        ),
    )


def _parameters(declared: Sequence[Argument]) -> Schema:
    published = [argument for argument in declared if argument.doc is not None]
    required = [argument.name for argument in published if argument.is_required]
    return {
        "type": "object",
        "properties": {argument.name: _parameter(argument) for argument in published},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _parameter(argument: Argument) -> Schema:
    # What an absent argument is need be said only where it is not plain nothing.
    default = {} if argument.is_required or not argument.default else {"default": argument.default}
    return {
        **argument.check.schema,
        **default,
        "description": argument.doc.text if argument.doc else "",
    }


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
