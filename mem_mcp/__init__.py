"""mem_mcp: a memory that any MCP agent plugs in."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mem_mcp.config import Settings
    from mem_mcp.memory import AsyncMemory, Memory

__version__ = "0.1.0"
__all__ = ["AsyncMemory", "Memory", "Settings", "__version__"]

# Nothing leaves the machine by itself, and nothing is written outside the data directory. ONNX
# Runtime queues events below the home folder and sends them unless the first is set before its
# import: its own switch comes too late. The others stop the like in what LiteLLM brings along.
# Here, since whatever of ours imports any of them comes after this file.
for _name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ[_name] = os.environ.get(_name) or "1"

# LanceDB writes no memory where the folder for temporary files is missing; without the variable it
# takes the system's own.
if "TMPDIR" in os.environ and not os.access(os.environ["TMPDIR"], os.W_OK | os.X_OK):
    del os.environ["TMPDIR"]

_HOMES = {
    "AsyncMemory": "mem_mcp.memory",
    "Memory": "mem_mcp.memory",
    "Settings": "mem_mcp.config",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the names have nothing in common
    """Import a public name when it is first used: the server must answer before LanceDB loads."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mem_mcp' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
