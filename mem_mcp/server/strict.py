"""Tools that refuse unknown arguments, say plainly what was wrong, and are described briefly."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from inspect import cleandoc
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import ConfigDict, ValidationError

from mem_mcp.errors import MemError


class StrictTool(Tool):
    """A tool of the SDK, with our errors."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,
    ) -> Any:  # noqa: ANN401 - the SDK's
        """Run the tool; an argument that does not fit is named, with what is allowed."""
        # Null is how many clients write "not given".
        arguments = {name: value for name, value in arguments.items() if value is not None}
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise ToolError(_explain(error, list(self.parameters["properties"]))) from error
        return await super().run(arguments, context, convert_result)


def strict_tool(
    method: Callable[..., Awaitable[CallToolResult]], annotations: ToolAnnotations
) -> StrictTool:
    """Make a tool of a method whose arguments are annotated with their descriptions."""
    tool = cast(
        "StrictTool",
        StrictTool.from_function(
            _with_our_errors(method),
            title=annotations.title,
            description=cleandoc(method.__doc__ or ""),
            annotations=annotations,
        ),
    )
    metadata = tool.fn_metadata
    metadata.arg_model = type(
        metadata.arg_model.__name__,
        (metadata.arg_model,),
        {"model_config": ConfigDict(extra="forbid"), "__module__": __name__},
    )
    tool.parameters = {**_untitled(tool.parameters), "additionalProperties": False}
    metadata.output_schema = _untitled(metadata.output_schema)
    return tool


def _with_our_errors(
    method: Callable[..., Awaitable[CallToolResult]],
) -> Callable[..., Awaitable[CallToolResult]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> CallToolResult:  # noqa: ANN401 - any method's
        try:
            return await method(*args, **kwargs)
        except MemError as error:
            raise ToolError(str(error)) from error

    return call


def _explain(error: ValidationError, allowed: list[str]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name}: no such argument; allowed: {', '.join(allowed)}"
    return f"{name}: {first['msg']}"


def _untitled(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Drop the titles that pydantic makes of names: they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may itself be called "title": only a text is a schema's title.
    return {
        key: _untitled(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
