"""stats: count the contents of a store, and how its memories are used."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import GIVEN_UP
from mem_mcp.api.stats import Learning, Stats
from mem_mcp.errors import StoreError
from mem_mcp.extraction.pending import WAITING
from mem_mcp.learning.signal_counts import trace_window
from mem_mcp.learning.usage_stats import COLUMNS, learning_stats
from mem_mcp.logs.llm_calls import by_model, total
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Store, is_active, unfilled
from mem_mcp.times import utc_now

logger = logging.getLogger(__name__)


async def stats(runtime: Runtime, *, detailed: bool = True) -> Stats:
    """Count what is stored; forgotten memories count as versions only.

    Args:
        runtime: the open memory.
        detailed: also count the use of memories and of models. The result then lists ids and texts
            of memories of all users, so it must not be shown to one of several users.
    """
    store = runtime.store
    columns = dict.fromkeys(["version_id", "kind", "status", "user_id", *COLUMNS])
    rows = await store.scan(every(current(), {"status": {"ne": "deleted"}}), [*columns])
    counts = {name: Counter(rows[name].to_pylist()) for name in ("kind", "status", "user_id")}
    return Stats(
        memories=rows.num_rows,
        versions=await store.count({}),
        users=len(counts["user_id"]),
        by_kind=dict(counts["kind"].most_common()),
        by_status=dict(counts["status"].most_common()),
        waiting=await store.count(WAITING),
        given_up=await store.count(every(WAITING, {"reason": GIVEN_UP})),
        without_vector=await _without_vector(store, rows),
        embedded_anew=not await is_active(store),
        embedder=runtime.identity,
        dimension=store.space.dimension if store.space else None,
        data_bytes=store.size()[1] if store.processes else None,
        table_version=await store.version(),
        location=store.location,
        learning=await learning_stats(runtime, rows) if detailed else Learning(),
        **await _models(runtime) if detailed else {},
    )


async def _without_vector(store: Store, rows: pa.Table) -> int:
    if store.space is None:
        return len(rows)
    missing = await unfilled(store, ["superseded_at"])  # includes earlier versions
    return len(missing.filter(pc.field("superseded_at").is_null()))


async def _models(runtime: Runtime) -> dict[str, Any]:
    now, window = utc_now(), trace_window(runtime)
    try:
        calls = await runtime.calls.since(now - window)
    except StoreError as error:  # the other counts stay valid
        logger.warning("what models were asked cannot be read: %s", error)
        return {}
    if not calls.num_rows:
        return {}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = calls.filter(pc.field("created_at") >= midnight)
    return {
        "models": by_model(calls),
        "models_days": window.days,
        "models_today": total(today),
    }
