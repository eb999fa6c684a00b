"""Prompts and the models of their responses, side by side. Pure."""

from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.overrides import PromptFolder, Prompts

__all__ = ["PromptFolder", "Prompts", "Utterance"]
