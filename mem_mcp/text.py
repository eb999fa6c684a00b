"""What may be stored as text, and when two texts are the same."""

from __future__ import annotations

import hashlib
import unicodedata

from mem_mcp.errors import InvalidInput

# English text under the common byte-pair vocabularies.
_BYTES_PER_TOKEN = 4


def check_text(text: object, argument: str, limit: int | None = None) -> str:
    """Return the text if it can be stored as it is.

    Args:
        text: what the caller gave.
        argument: what to name in an error.
        limit: most characters allowed.

    Raises:
        InvalidInput: not a text, a NUL or lone surrogate in it, or too long.
    """
    if not isinstance(text, str):
        raise InvalidInput(argument, f"must be text, not {type(text).__name__}")
    if limit is not None and len(text) > limit:
        raise InvalidInput(
            argument, f"has {len(text):,} characters; at most {limit:,} are allowed: split it"
        )
    if "\x00" in text:
        raise InvalidInput(argument, "contains a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            argument,
            f"contains a lone surrogate at character {error.start}; send well-formed Unicode",
        ) from error
    return text


def normalised(text: str) -> str:
    """Return the form in which equal texts are equal: case, white space and composition apart."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def said_by(name: str | None, text: str) -> str:
    """Return a text with who says it before it, where that is known."""
    return f"{name}: {text}" if name else text


def digest(*parts: object) -> str:
    """Return 32 hexadecimal digits that stand for the parts, each kept apart from the next."""
    joined = "\x1f".join(f"{len(str(part))}:{part}" for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:32]


def exact(text: str) -> str:
    """Return the form in which texts that say the same to the letter are equal.

    Unicode composition, kind of line end and outer white space do not count; case, inner white
    space and punctuation do: `git branch -d` is not `git branch -D`.
    """
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", unix).strip()


def content_hash(text: str) -> str:
    """Return the hash under which duplicates of a text meet."""
    # The first part keeps it apart from hashes of an earlier version, which ids were made of.
    return digest("exact", exact(text))


def count_tokens(text: str) -> int:
    """Estimate how many tokens a language model reads `text` as.

    One for every four bytes of UTF-8: about right for English, and for other scripts nearer than
    characters are, since vocabularies cut them finer the more bytes a character has.
    """
    size = len(text.encode("utf-8", "replace"))
    return -(-size // _BYTES_PER_TOKEN)
