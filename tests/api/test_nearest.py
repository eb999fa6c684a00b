"""The argument that is meant by a name that there is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.api.nearest import ALIASES, nearest, no_such_argument

FAST = hypothesis_settings(deadline=None, max_examples=60)
SCOPE = ("user_id", "agent_id", "run_id")
REMEMBER = (
    *("content", "messages", "kind", "tags", "metadata", "entities", "relations", "occurred_at"),
    *("valid_until", "expires_at", "infer", "instructions", "idempotency_key", *SCOPE),
)
RECALL = (
    *("query", "limit", "max_tokens", "kinds", "tags", "filters", "since", "until", "as_of"),
    *("min_score", "include_global", "explain", *SCOPE),
)
OUTCOME = (
    *("task", "outcome", "lesson", "summary", "task_type", "tool_name", "severity", "logs"),
    *("agent_version", "confidence", "used_memory_ids", "recall_id", "user_scope", "tags"),
    *("metadata", "occurred_at", "idempotency_key", *SCOPE),
)
LESSONS = (
    *("task", "task_type", "tool_name", "outcomes", "severity", "agent_version", "since", "limit"),
    *("max_tokens", "include_global", *SCOPE),
)
FEEDBACK = ("memory_id", "feedback", "feedback_reason", "recall_id", "query", "items", *SCOPE)
UPDATE = (
    *("memory_id", "content", "tags", "metadata", "expires_at", "valid_until", "outcome"),
    *("status", "reason", *SCOPE),
)
FORGET = ("memory_id", "filters", "confirm", "purge", *SCOPE)
LIST = ("filters", "kinds", "tags", "limit", "cursor", "order", *SCOPE)


@pytest.mark.parametrize(
    ("allowed", "name", "meant"),
    [
        (RECALL, "top_k", "limit"),
        (RECALL, "topK", "limit"),
        (RECALL, "k", "limit"),
        (RECALL, "n", "limit"),
        (RECALL, "max_results", "limit"),
        (RECALL, "maxResults", "limit"),
        (RECALL, "count", "limit"),
        (RECALL, "question", "query"),
        (RECALL, "q", "query"),
        (RECALL, "search", "query"),
        (RECALL, "text", "query"),
        (RECALL, "threshold", "min_score"),
        (RECALL, "score", "min_score"),
        (RECALL, "from", "since"),
        (RECALL, "end_date", "until"),
        (RECALL, "filter", "filters"),
        (RECALL, "type", "kinds"),
        (RECALL, "session_id", "run_id"),
        (RECALL, "include-global", "include_global"),
        (RECALL, "Query", "query"),
        (RECALL, "quer", "query"),
        (REMEMBER, "text", "content"),
        (REMEMBER, "memory", "content"),
        (REMEMBER, "fact", "content"),
        (REMEMBER, "user", "user_id"),
        (REMEMBER, "userId", "user_id"),
        (REMEMBER, "userID", "user_id"),
        (REMEMBER, "type", "kind"),
        (REMEMBER, "category", "kind"),
        (REMEMBER, "timestamp", "occurred_at"),
        (REMEMBER, "labels", "tags"),
        (OUTCOME, "result", "outcome"),
        (OUTCOME, "status", "outcome"),
        (OUTCOME, "tool", "tool_name"),
        (OUTCOME, "memory_ids", "used_memory_ids"),
        (OUTCOME, "learned", "lesson"),
        (OUTCOME, "query", "task"),
        (OUTCOME, "scope", "user_scope"),
        (LESSONS, "query", "task"),
        (LESSONS, "outcome", "outcomes"),
        (FEEDBACK, "id", "memory_id"),
        (FEEDBACK, "memoryId", "memory_id"),
        (FEEDBACK, "rating", "feedback"),
        (FEEDBACK, "score", "feedback"),
        (FEEDBACK, "reason", "feedback_reason"),
        (UPDATE, "text", "content"),
        (UPDATE, "id", "memory_id"),
        (UPDATE, "why", "reason"),
        (FORGET, "id", "memory_id"),
        (FORGET, "where", "filters"),
        (LIST, "sort", "order"),
        (LIST, "page_token", "cursor"),
    ],
)
def test_the_argument_that_agents_mean_is_named(allowed: tuple[str, ...], name: str, meant: str):
    assert nearest(name, allowed) == meant


@pytest.mark.parametrize("name", ["xyz", "colour", "", "  ", "_", "日本", "temperature"])
def test_a_name_like_none_of_them_has_no_near_one(name: str):
    assert nearest(name, RECALL) is None


def test_a_dry_run_is_not_taken_for_its_opposite():
    assert nearest("dry_run", FORGET) is None


@FAST
@given(
    st.text(max_size=20) | st.sampled_from(sorted({a for each in ALIASES.values() for a in each}))
)
def test_only_what_is_allowed_is_named(name: str):
    for allowed in (REMEMBER, RECALL, OUTCOME, LESSONS, FEEDBACK, UPDATE, FORGET, LIST, ()):
        assert nearest(name, allowed) in (None, *allowed)


def test_an_unknown_argument_is_refused_with_the_near_one_and_all_there_are():
    error = no_such_argument("top_k", ("query", "limit"))
    assert str(error) == "top_k: no such argument; did you mean limit? allowed: query, limit"
    assert error.argument == "top_k"
    assert str(no_such_argument("xyz", ("query",))) == "xyz: no such argument; allowed: query"
