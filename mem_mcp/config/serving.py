"""The settings of a server that others reach: who may call, under which names, and how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from mem_mcp.config import paths
from mem_mcp.config.section import Section

_ADDRESS = r"^(https?://\S+)?$"
TOKEN_FILE = "tokens.json"  # noqa: S105 - a file's name
"""The file of tokens in the data directory, where the settings name no other."""
# What a person makes up has less than 128 bits.
_SHORTEST_TOKEN = 32


def _names(given: object) -> object:
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list):
        return given
    return [name for each in listed if (name := str(each).strip())]


class AuthSettings(Section):
    """Who may call over HTTP and SSE: bearers of our own tokens, or of an identity provider's."""

    tokens: dict[str, str] = Field(default={})
    """Tokens of 32 characters or more to the users who may read and write with them."""
    token_file: str = ""
    """File of `mem-mcp token`, which holds hashes only; empty: tokens.json in data_dir."""
    issuer: str = Field(default="", pattern=_ADDRESS)
    """Identity provider whose JWTs are accepted, as their `iss` has it; empty: none."""
    audience: str = ""
    """What a JWT's `aud` must name."""
    jwks: str = ""
    """File or address of the provider's public keys."""
    user_claim: str = Field(default="sub", min_length=1)
    """Claim that names the user; a dotted path reaches into objects."""
    scope_claim: str = Field(default="scope", min_length=1)
    """Claim with the scopes read, write, global, admin: a text or a list; others mean nothing."""
    resource_url: str = Field(default="", pattern=_ADDRESS)
    """Address of this server as clients see it; with issuer, it lets them log in by themselves."""

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

    @field_validator("token_file", "jwks", mode="before")
    @classmethod
    def _local(cls, given: object) -> object:
        if not isinstance(given, str | Path) or not str(given):
            return given
        text = str(given)
        return text if text.startswith(("http://", "https://")) else str(paths.local_path(text))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer and not self.audience:
            raise ValueError("issuer needs audience: what the aud of its tokens must name")
        if self.issuer and not self.jwks:
            raise ValueError("issuer needs jwks: a file or an address of its public keys")
        if self.audience and not self.issuer:
            raise ValueError("audience needs issuer: whose tokens are accepted")
        return self


class HttpSettings(Section):
    """How HTTP and SSE are reached."""

    hosts: Annotated[list[str], NoDecode] = Field(default=[])
    """Further names in Host and Origin by which clients call, separated by commas."""
    forwarded_allow_ips: str = "127.0.0.1"
    """Addresses of proxies whose X-Forwarded headers are believed, separated by commas."""
    drain_seconds: float = Field(default=20, ge=0, le=3_600)
    """Seconds that running calls may take after SIGTERM; new ones get 503 meanwhile."""

    stateless: bool = False
    """Keep no sessions, so that any of several servers can answer any request."""
    certificate: str = ""
    """File of the certificate chain (PEM) to serve over TLS; empty: without."""
    certificate_key: str = ""
    """File of its private key; empty: it is in the same file."""
    open_metrics: bool = False
    """Whether /metrics needs no token with the scope admin beyond this machine."""

    _listed = field_validator("hosts", mode="before")(_names)

    @field_validator("certificate", "certificate_key", mode="before")
    @classmethod
    def _local(cls, given: object) -> object:
        return str(paths.local_path(given)) if isinstance(given, str) and given else given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.certificate_key and not self.certificate:
            raise ValueError("certificate_key needs certificate: the chain that it belongs to")
        return self

    @field_validator("hosts")
    @classmethod
    def _bare(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if "/" in host or "*" in host or " " in host:
                raise ValueError(
                    f"{host!r} is no name; write names such as memory.example.com, without "
                    "https:// and without *"
                )
        return [host.lower() for host in hosts]


class LimitSettings(Section):
    """How much one may ask for; requests and calls are counted a token, in each process."""

    body_bytes: int = Field(default=64_000_000, ge=1_000, le=1_000_000_000)
    """Largest body of a request over HTTP and SSE."""
    requests_per_minute: int = Field(default=0, ge=0)
    """Requests a minute with one token; 0: no bound."""
    calls_at_once: int = Field(default=64, ge=0)
    """Requests with one token that may run at once; 0: no bound."""
    memories_per_user: int = Field(default=0, ge=0)
    """Memories that a user may have; 0: no bound."""
    bytes_per_user: int = Field(default=0, ge=0)
    """Bytes of a user's texts and sources, earlier versions included; 0: no bound."""
    seconds_per_call: float = Field(default=120, gt=0, le=86_400)
    """Seconds after which a tool call is given up; at least llm.deadline_seconds and 30."""
