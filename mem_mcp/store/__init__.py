"""The only door to LanceDB."""

# isort: off
import mem_mcp.store.lancedb_import  # noqa: F401 - before anything imports LanceDB
# isort: on

from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.connect import open_store
from mem_mcp.store.filters import Filters, check_filters, fields_of
from mem_mcp.store.log_table import Log
from mem_mcp.store.maintenance import Maintenance
from mem_mcp.store.mending import Mended
from mem_mcp.store.questions import columns
from mem_mcp.store.repair import Repaired, repair
from mem_mcp.store.schema import Vector, Version, from_arrow, matrix
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import Space
from mem_mcp.store.vector_migration import activate, adopt, drop_others, fill, is_active, unfilled

__all__ = [
    "Filters",
    "Log",
    "Maintenance",
    "Mended",
    "Repaired",
    "Space",
    "Store",
    "Vector",
    "Version",
    "activate",
    "adopt",
    "check_filters",
    "columns",
    "drop_others",
    "fields_of",
    "fill",
    "from_arrow",
    "is_active",
    "matrix",
    "open_store",
    "repair",
    "unbroken",
    "unfilled",
]
