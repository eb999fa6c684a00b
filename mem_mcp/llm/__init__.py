"""LLM calls through LiteLLM: structured answers, embeddings and rerankings, within limits.

Importing this package does not import LiteLLM, which takes seconds. The first call or
`Gateway.warm` does.
"""

from mem_mcp.llm.fallback_notes import fallback_notes
from mem_mcp.llm.gateway import Completion, Gateway
from mem_mcp.llm.response_parsing import BATCH
from mem_mcp.llm.usage import Call, Ledger, Turn, Usage

__all__ = ["BATCH", "Call", "Completion", "Gateway", "Ledger", "Turn", "Usage", "fallback_notes"]
