"""The best rows of a search; of equal ones those with the first version_id.

LanceDB orders equal ones by their place in the table, which is another in a copy of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pyarrow as pa

from mem_mcp.store.filters import Filters

# How many times more rows are looked at where those at a search's limit are rated equal.
_WIDENED = 4


async def best_rows(
    search: Callable[[Sequence[str], int, Filters], Awaitable[pa.Table]],
    rated: str,
    filters: Filters,
    columns: Sequence[str],
    limit: int,
) -> pa.Table:
    """Return the best rows of a search, at most `limit`.

    Args:
        search: takes columns, the most rows to return, and what they must meet.
        rated: the column that the search adds, `_score` or `_distance`.
        filters: conditions that a row must meet.
        columns: to return beside version_id.
        limit: the most rows.
    """
    columns = list(dict.fromkeys(["version_id", *columns]))
    rows = _in_order(await search(columns, limit + 1, filters), rated)
    if rows.num_rows <= limit or rows[rated][limit] != rows[rated][limit - 1]:
        return rows.slice(0, limit)
    most = limit + 1
    while True:
        most *= _WIDENED
        found = _in_order(await search(["version_id"], most, filters), rated)
        if found.num_rows < most or found[rated][limit - 1] != found[rated][most - 1]:
            break
    chosen = {"version_id": {"in": found["version_id"][:limit].to_pylist()}}
    return _in_order(await search(columns, limit, {"AND": [chosen, filters]}), rated)


def _in_order(rows: pa.Table, rated: str) -> pa.Table:
    """Sort rows, best first, and equal ones by version_id."""
    best = "descending" if rated == "_score" else "ascending"
    return rows.sort_by([(rated, best), ("version_id", "ascending")])
