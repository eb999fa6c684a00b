"""recall: its arguments."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from mem_mcp.api.arguments import (
    FLAG,
    FRACTION,
    MAX_QUERY,
    AnyTags,
    Filters,
    IncludeGlobal,
    Kinds,
    Limit,
    MaxTokens,
    Scoped,
    Since,
    Time,
    required,
    time,
)
from mem_mcp.api.call import Doc


@dataclass(frozen=True)
class Recall(Scoped):
    """Find memories by meaning and words. Call it before answering or acting.

    Scores are absolute: low ones mean that nothing fitting is stored.
    """

    query: Annotated[str, required(MAX_QUERY), Doc("A question or topic, in plain words")]
    _: KW_ONLY
    limit: Limit = 10
    max_tokens: Annotated[
        MaxTokens, Doc("Budget for the texts", "in estimated tokens; 0 for none")
    ] = 0
    kinds: Kinds = None
    tags: AnyTags = None
    filters: Annotated[
        Filters,
        Doc(
            "E.g. {'metadata.team': 'a', 'tags': {'contains': 'x'}}; operators eq ne in nin gt gte "
            "lt lte contains icontains exists; AND, OR (lists), NOT"
        ),
    ] = None
    since: Since = None
    until: Annotated[
        Time,
        time("end"),
        Doc("Until then", "what occurred then or earlier; a date alone is its end"),
    ] = None
    as_of: Annotated[
        Time,
        time("start"),
        Doc("Answer as of then", "with what was stored and believed at that moment"),
    ] = None
    min_score: Annotated[float | None, FRACTION, Doc("0..1; 0: all")] = None
    include_global: IncludeGlobal = True
    explain: Annotated[bool, FLAG, Doc("Show score parts", "they add up to the score")] = False
