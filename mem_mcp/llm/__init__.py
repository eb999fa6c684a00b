"""The only door to LiteLLM: structured answers, vectors and rerankings, within limits and a budget.

Importing this package loads nothing: the library, which takes seconds, comes with the first call
or with `Gateway.warm`.
"""

from mem_mcp.llm.deadline import Turn
from mem_mcp.llm.gateway import Completion, Gateway
from mem_mcp.llm.response_parsing import BATCH
from mem_mcp.llm.usage import Call, Ledger, Usage

__all__ = ["BATCH", "Call", "Completion", "Gateway", "Ledger", "Turn", "Usage"]
