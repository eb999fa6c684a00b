"""import and export: their arguments, and the lines that are no memories."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from mem_mcp.api.arguments import FLAG, Kinds, Time, UserId, time
from mem_mcp.api.call import Doc

FORMAT = "mem-mcp"
VERSION = 2
"""Of the format; a file without a header is of version 1, which has current memories alone."""
FEEDBACK = "feedback"
TRACE = "trace"
"""The only key of a line that is a mark, or an answer of recall; its value has the fields."""


@dataclass(frozen=True)
class Export:
    """Write memories with their history, marks and request keys as lines of JSON."""

    _: KW_ONLY
    user_id: Annotated[UserId, Doc("Whose", "empty for everybody's")] = ""
    since: Annotated[
        Time, time("start"), Doc("Only what changed then or later", "each memory with its history")
    ] = None
    kinds: Annotated[Kinds, Doc("Any of: fact, message, procedure, outcome, lesson")] = None
    traces: Annotated[bool, FLAG, Doc("Also what was recalled", "for why, and for recall_id")] = (
        False
    )
