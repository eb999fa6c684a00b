"""Prompts and the models of their responses, side by side. Pure."""

from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.overrides import Prompts

__all__ = ["Prompts", "Utterance"]
