"""The only door to LanceDB."""

from mem_mcp.store.filters import Filters, check_filters, fields_of
from mem_mcp.store.log import Log, columns
from mem_mcp.store.maintenance import Maintenance
from mem_mcp.store.schema import Vector, Version, from_arrow, matrix
from mem_mcp.store.table import Store, open_store
from mem_mcp.store.unbroken import unbroken

__all__ = [
    "Filters",
    "Log",
    "Maintenance",
    "Store",
    "Vector",
    "Version",
    "check_filters",
    "columns",
    "fields_of",
    "from_arrow",
    "matrix",
    "open_store",
    "unbroken",
]
