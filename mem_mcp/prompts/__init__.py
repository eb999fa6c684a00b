"""What a language model is asked, and the form of its answers, side by side. Pure."""

from mem_mcp.prompts.conversation import Said
from mem_mcp.prompts.overrides import Prompts

__all__ = ["Prompts", "Said"]
