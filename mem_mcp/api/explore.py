"""graph and why: their arguments."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from mem_mcp.api import checks
from mem_mcp.api.arguments import MemoryId, Scoped, UserId, required, whole
from mem_mcp.api.call import Doc

MOST_HOPS = 4


@dataclass(frozen=True)
class Graph(Scoped):
    """Show the entities and relations around one, and the memories that support them."""

    entity: Annotated[
        str,
        required(checks.MAX_NAME),
        Doc("A person, place, project or thing, by any of its names"),
    ]
    _: KW_ONLY
    hops: Annotated[int, whole(1, MOST_HOPS), Doc("How far from it, 1..4")] = 2


@dataclass(frozen=True)
class Why:
    """Say why a memory was, or was not, in an answer of recall or recall_lessons."""

    recall_id: Annotated[str, required(checks.MAX_NAME), Doc("Of the answer")]
    memory_id: Annotated[MemoryId, Doc("Which memory")]
    _: KW_ONLY
    user_id: UserId = ""
