"""give_feedback: its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Annotated, Any

from mem_mcp.api import checks
from mem_mcp.api.arguments import MAX_QUERY, MAX_REASON, NAME, OBJECTS, Scoped, text, word
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.models import Feedback
from mem_mcp.api.words import FEEDBACKS

MOST_ITEMS = 1_000


@dataclass(frozen=True)
class Mark:
    """Say whether one memory helped."""

    memory_id: Annotated[str, NAME, Doc("From an answer")] = ""
    feedback: Annotated[
        str | None,
        word(checks.literal(Feedback), FEEDBACKS),
        Doc("VERY_NEGATIVE: wrong, hide it; absent: take it back"),
    ] = None
    _: KW_ONLY
    feedback_reason: Annotated[str, text(MAX_REASON), Doc("Why")] = ""
    recall_id: Annotated[str, NAME, Doc("Of the answer it came in")] = ""
    query: Annotated[str, text(MAX_QUERY), Doc("Or the question it was for")] = ""


@dataclass(frozen=True)
class GiveFeedback(Scoped, Mark):
    """Say whether a recalled memory helped or misled you; it then ranks higher or lower."""

    _: KW_ONLY
    items: Annotated[
        Sequence[Mapping[str, Any]] | None,
        Check(
            partial(checks.listed, most=MOST_ITEMS, kind="{memory_id, feedback, …}"),
            OBJECTS,
        ),
        Doc("Or many, each with these five"),
    ] = None
