"""The settings of a server that others reach: who may call, under which names, and how much."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from mem_mcp.config import paths
from mem_mcp.config.section import Section

TOKEN_FILE = "tokens.json"  # noqa: S105 - a file's name
"""The file of tokens in the data directory, where the settings name no other."""
# What a person makes up has less than 128 bits.
_SHORTEST_TOKEN = 32


class AuthSettings(Section):
    """Who may call over HTTP and SSE: bearers of tokens."""

    tokens: dict[str, str] = Field(default={})
    """Tokens of 32 characters or more to the users who may read and write with them."""
    token_file: str = ""
    """File of `mem-mcp token`, which holds hashes only; empty: tokens.json in data_dir."""

    @field_validator("tokens")
    @classmethod
    def _strong(cls, tokens: dict[str, str]) -> dict[str, str]:
        # No message names a token.
        if any(len(token) < _SHORTEST_TOKEN for token in tokens):
            raise ValueError(
                f"a token has fewer than {_SHORTEST_TOKEN} characters; mem-mcp token create makes "
                "good ones, and stores only their hashes"
            )
        if any(user.strip() in ("", "global") for user in tokens.values()):
            raise ValueError('a user must be a name, and not "global", which is all users')
        return tokens

    @field_validator("token_file", mode="before")
    @classmethod
    def _local(cls, given: object) -> object:
        if not isinstance(given, str | Path) or not str(given):
            return given
        return str(paths.local_path(str(given)))


class HttpSettings(Section):
    """How HTTP and SSE are reached."""

    forwarded_allow_ips: str = "127.0.0.1"
    """Addresses of proxies whose X-Forwarded headers are believed, separated by commas."""


class LimitSettings(Section):
    """How much one may ask for."""

    body_bytes: int = Field(default=64_000_000, ge=1_000, le=1_000_000_000)
    """Largest body of a request over HTTP and SSE."""
