"""The only package that imports LanceDB."""

# isort: off
import mem_mcp.store.lancedb_import  # noqa: F401 - before anything imports LanceDB
# isort: on

from mem_mcp.store.backup import BackupReport, back_up
from mem_mcp.store.bucket_erasure import LOOK_EVERY
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.connect import open_store
from mem_mcp.store.damage.repair import MendedTable, RepairReport, repair
from mem_mcp.store.erasure import Erasure, announce_erasure
from mem_mcp.store.filters import Filters, check_filters, fields_of
from mem_mcp.store.log_table import LogTable, log_schema
from mem_mcp.store.maintenance import Maintenance
from mem_mcp.store.migrations import copies_before_upgrades
from mem_mcp.store.restore import restore
from mem_mcp.store.schema import (
    Space,
    TextVectors,
    Vector,
    Version,
    from_arrow,
    matrix,
    passage_vectors,
)
from mem_mcp.store.table import Store
from mem_mcp.store.vector_migration import (
    activate,
    adopt,
    count_unembedded,
    drop_others,
    fill,
    is_active,
    lacks_passages,
    note_passages,
    others,
    unfilled,
    without_passages,
)

__all__ = [
    "LOOK_EVERY",
    "BackupReport",
    "Erasure",
    "Filters",
    "LogTable",
    "Maintenance",
    "MendedTable",
    "RepairReport",
    "Space",
    "Store",
    "TextVectors",
    "Vector",
    "Version",
    "activate",
    "adopt",
    "announce_erasure",
    "back_up",
    "check_filters",
    "copies_before_upgrades",
    "count_unembedded",
    "drop_others",
    "fields_of",
    "fill",
    "from_arrow",
    "is_active",
    "lacks_passages",
    "log_schema",
    "matrix",
    "note_passages",
    "open_store",
    "others",
    "passage_vectors",
    "repair",
    "restore",
    "unbroken",
    "unfilled",
    "without_passages",
]
