"""Tables that an older mem-mcp made: what they lack is added, and no row of them is changed."""

from __future__ import annotations

import lancedb
import pyarrow as pa

from mem_mcp.store import schema
from mem_mcp.store.error_mapping import of_lancedb
from mem_mcp.store.schema import RECORD, Space

# Embedder in the metadata of an older table that was made while none was available.
_UNKNOWN = "unknown"


def lacking(columns: pa.Schema, wanted: pa.Schema) -> list[pa.Field]:
    """Return what a table lacks of wanted columns."""
    return [field for field in wanted if field.name not in columns.names]


async def add_missing_columns(table: lancedb.AsyncTable, wanted: pa.Schema) -> None:
    """Add the columns that a table lacks; its rows have no value in them.

    They may all be null, so that an older mem-mcp can go on adding rows.
    """
    if missing := lacking(await table.schema(), wanted):
        try:
            await table.add_columns(pa.schema(missing))
        except Exception as error:
            # On an object store another process may have added them meanwhile.
            if not of_lancedb(error) or lacking(await table.schema(), wanted):
                raise


async def name_space(table: lancedb.AsyncTable, space: Space) -> None:
    """Write the embedder of an older table into the metadata of its vector column."""
    embedder = space.embedder
    if embedder == _UNKNOWN:  # its rows may know
        rows = table.query().where(f"{RECORD} IS NOT NULL").select([RECORD]).limit(1)
        embedders = (await rows.to_arrow())[RECORD].to_pylist()
        if not embedders:
            return
        embedder = embedders[0]
    metadata = {schema.EMBEDDER_KEY.decode(): embedder}
    await table.update_field_metadata({"path": space.column, "metadata": metadata})


async def complete(table: lancedb.AsyncTable) -> None:
    """Give a table of memories every column, and its vectors the name of their embedder."""
    await add_missing_columns(table, schema.table_schema(None))
    if unnamed := schema.unnamed_space(await table.schema()):
        await name_space(table, unnamed)
