"""mem_mcp: a memory that any MCP agent plugs in."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mem_mcp.config import Settings
    from mem_mcp.engine.memory import AsyncMemory, Memory

__version__ = "0.1.0"
__all__ = ["AsyncMemory", "Memory", "Settings", "__version__"]

_HOMES = {
    "AsyncMemory": "mem_mcp.engine.memory",
    "Memory": "mem_mcp.engine.memory",
    "Settings": "mem_mcp.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names have nothing in common
    """Import a public name when it is first used: the server must answer before LanceDB loads."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mem_mcp' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
