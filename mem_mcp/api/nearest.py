"""Which argument a caller meant whose name is not known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from mem_mcp.errors import InvalidInput

_CUTOFF = 0.7

ALIASES: dict[str, tuple[str, ...]] = {
    "limit": (
        *("top_k", "topk", "k", "n", "max_results", "num_results", "n_results", "count", "size"),
        *("page_size", "per_page", "max"),
    ),
    "max_tokens": ("tokens", "token_budget", "token_limit", "budget"),
    "min_score": ("threshold", "score", "score_threshold", "min_relevance", "relevance", "cutoff"),
    "content": (
        *("text", "memory", "memory_text", "fact", "note", "statement", "value", "body", "data"),
        *("message", "new_content", "new_text", "information"),
    ),
    "query": (
        *("question", "q", "search", "search_query", "query_text", "text", "prompt", "topic"),
        *("task", "content", "input"),
    ),
    "task": (
        *("query", "goal", "description", "task_description", "objective", "question", "text"),
        *("content",),
    ),
    "messages": ("conversation", "chat", "history", "transcript", "dialogue", "turns"),
    "memory_id": ("id", "memory", "mem_id", "uuid", "memory_ids", "ids"),
    "used_memory_ids": ("memory_ids", "ids", "used", "used_memories", "memories", "memory_id"),
    "user_id": ("user", "userid", "owner", "username", "user_name"),
    "agent_id": ("agent", "agentid", "agent_name", "assistant_id"),
    "run_id": (
        *("run", "runid", "session", "session_id", "thread", "thread_id", "conversation_id"),
        *("chat_id",),
    ),
    "kind": ("type", "memory_type", "category", "kinds"),
    "kinds": ("kind", "type", "types", "memory_type", "categories"),
    "tags": ("labels", "label", "categories", "category", "keywords", "topics"),
    "metadata": ("meta", "attributes", "extra", "properties", "custom", "fields"),
    "entities": ("people", "subjects", "about"),
    "relations": ("relationships", "edges", "triples", "graph", "links"),
    "feedback": ("rating", "score", "vote", "mark", "sentiment", "thumbs", "value", "label"),
    "feedback_reason": ("reason", "why", "comment", "explanation", "note"),
    "reason": ("why", "comment", "explanation", "feedback_reason", "note"),
    "outcome": ("result", "status", "success", "outcome_type", "state"),
    "outcomes": ("outcome", "results", "statuses"),
    "summary": ("details", "notes", "what_happened", "description", "explanation"),
    "lesson": ("lessons", "learned", "learning", "takeaway", "insight", "lesson_learned"),
    "logs": ("log", "output", "trace", "raw_output"),
    "task_type": ("type", "category", "task_kind"),
    "tool_name": ("tool", "tools", "toolname", "used_tool"),
    "severity": ("priority", "importance", "level", "impact"),
    "agent_version": ("version",),
    "confidence": ("certainty", "probability"),
    "user_scope": ("scope", "visibility", "audience", "shared"),
    "occurred_at": (
        *("timestamp", "created_at", "date", "time", "when", "datetime", "event_time"),
        *("happened_at",),
    ),
    "expires_at": ("expiry", "expires", "expiration", "expiration_date", "expire_at"),
    "valid_until": ("valid_to", "valid_through", "invalid_at", "ended_at"),
    "since": ("after", "from", "start", "start_date", "from_date", "start_time", "begin", "newer"),
    "until": ("before", "to", "end", "end_date", "to_date", "end_time", "older"),
    "as_of": ("at", "at_time", "point_in_time", "as_at"),
    "filters": ("filter", "where", "conditions", "metadata_filter"),
    "include_global": ("global", "shared", "include_shared"),
    "explain": ("debug", "verbose", "show_scores", "with_scores"),
    "infer": ("extract", "inference"),
    "instructions": ("prompt", "custom_instructions", "rules", "guidance"),
    "idempotency_key": ("request_id", "dedupe_key", "key"),
    "cursor": ("page", "offset", "next_cursor", "page_token", "next"),
    "order": ("sort", "sort_by", "order_by", "direction"),
    "history": ("versions", "include_history", "with_history", "all_versions"),
    "confirm": ("confirmed", "force", "yes"),
    "purge": ("hard", "hard_delete", "permanent", "permanently", "erase"),
    "items": ("feedbacks", "ratings", "entries", "batch"),
}
"""Other names that agents send, by the argument that is meant by them; the likeliest come first
where one stands for several."""


def nearest(name: str, allowed: Collection[str]) -> str | None:
    """Return the argument that is probably meant.

    Args:
        name: what the caller wrote, in snake_case or camelCase.
        allowed: the arguments there are.

    Returns:
        One of `allowed`: the same in another spelling, else one that the name is an alias of, else
        the one written most alike; None where none is near.
    """
    spelt = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    spelt = re.sub(r"[\s.-]+", "_", spelt.strip("-_. \t\n")).casefold()
    for known in allowed:
        if spelt == known or spelt.replace("_", "") == known.replace("_", ""):
            return known
    meant = {known: ALIASES.get(known, ()).index(spelt) for known in allowed
             if spelt in ALIASES.get(known, ())}  # fmt: skip
    if meant:
        return min(meant, key=lambda known: meant[known])
    return next(iter(difflib.get_close_matches(spelt, allowed, n=1, cutoff=_CUTOFF)), None)


def no_such_argument(name: str, allowed: Collection[str]) -> InvalidInput:
    """Return the error for an argument that there is not."""
    near = nearest(name, allowed)
    hint = f"did you mean {near}? " if near else ""
    return InvalidInput(name, f"no such argument; {hint}allowed: {', '.join(allowed)}")
