"""Join the guidance of a prompt, which an operator may replace, with its fixed rules."""

from __future__ import annotations

from typing import Any

PLACEHOLDER = "{rules}"
"""Where a guidance takes in the fixed rules."""

NO_SECRETS = (
    "Never write a password, key, token, PIN, card or account number, not even inside a quote."
)


def asking(guidance: str, rules: str, content: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the two messages of a request: system (guidance and rules), then user (content).

    The first is the same in every call, so that providers can cache it.

    Args:
        guidance: the task, with PLACEHOLDER.
        rules: the text that replaces PLACEHOLDER.
        content: a text, or a list of parts as OpenAI's API has them.
    """
    # The rules may show braces; only the guidance has a placeholder.
    return [
        {"role": "system", "content": guidance.replace(PLACEHOLDER, rules, 1)},
        {"role": "user", "content": content},
    ]
