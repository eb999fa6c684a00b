"""What fits into an answer."""

from mem_mcp.ranking.constants import BYTES_PER_TOKEN


def count_tokens(text: str) -> int:
    """Estimate how many tokens a language model reads `text` as.

    One for every four bytes of UTF-8: about right for English, and for other scripts nearer than
    characters are, since vocabularies cut them finer the more bytes a character has.
    """
    size = len(text.encode("utf-8", "replace"))
    return -(-size // BYTES_PER_TOKEN)
