"""How the words of a prompt, which may be an operator's, and its fixed rules become one text."""

from __future__ import annotations

from typing import Any

PLACEHOLDER = "{rules}"
"""Where the fixed rules come into a guidance."""

NO_SECRETS = (
    "Never write a password, key, token, PIN, card or account number, not even inside a quote."
)


def asking(guidance: str, rules: str, content: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the messages of a question: what is asked and its rules, then what it is about.

    The first never changes between calls, so that providers can keep what they read of it.

    Args:
        guidance: what is asked for, with PLACEHOLDER.
        rules: what comes in there.
        content: a text, or a list of parts as OpenAI's API has them.
    """
    # The rules may show braces; only the guidance has a placeholder.
    return [
        {"role": "system", "content": guidance.replace(PLACEHOLDER, rules, 1)},
        {"role": "user", "content": content},
    ]
