"""Tokens of an identity provider: JWTs, checked with its public keys."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from mcp.server.auth.provider import AccessToken

from mem_mcp.api import checks
from mem_mcp.api.models import GLOBAL_USER
from mem_mcp.config import AuthSettings
from mem_mcp.errors import ConfigError, InvalidInput
from mem_mcp.server.token_file import SCOPES

logger = logging.getLogger(__name__)

_UNREADABLE = (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError)
# With a secret key, whoever can check a token can make one; "none" is no signature.
_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
# Clocks of two machines differ by so much.
_LEEWAY_SECONDS = 30
_FRESH_SECONDS = 300
# After a failure, or for keys that nobody knows: whoever sends such tokens must not make us ask on.
_PAUSE_SECONDS = 5
_TIMEOUT_SECONDS = 5


class IdentityProvider:
    """Checks the JWTs of one issuer.

    Args:
        auth: the settings, with an issuer.

    Raises:
        ConfigError: the file of keys cannot be used.
    """

    def __init__(self, auth: AuthSettings) -> None:
        self._auth = auth
        self._keys = _keys(auth)

    @property
    def problem(self) -> str:
        """Why the keys could not be read anew; "" where they could."""
        return self._keys.problem

    @property
    def has_keys(self) -> bool:
        """Whether any keys are known."""
        return self._keys.known

    async def refresh(self) -> None:
        """Read the keys where that is due, and wait for them only if there are none."""
        await self._keys.refresh(missing=not self._keys.known)

    async def verify(self, token: str) -> AccessToken | None:
        """Return whose a token is and what it allows; None if it is not valid here and now."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.key(header.get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                audience=self._auth.audience,
                issuer=self._auth.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
            user = _user(claims, self._auth.user_claim)
        # What a stranger sends may break any part of the check, and none of it is worth telling.
        except (
            jwt.PyJWTError, InvalidInput, ValueError, TypeError, ArithmeticError, RecursionError
        ):  # fmt: skip
            return None
        client = claims.get("azp") or claims.get("client_id") or user
        return AccessToken(
            token="",  # nothing below needs it
            client_id=str(client),
            subject=user,
            scopes=_scopes(claims, self._auth.scope_claim),
            expires_at=int(claims["exp"]) + _LEEWAY_SECONDS,
            claims={"iss": self._auth.issuer},
        )


def _user(claims: Mapping[str, Any], name: str) -> str:
    user = checks.required_text(_claim(claims, name), "user", checks.MAX_NAME)
    if user == GLOBAL_USER:
        raise InvalidInput("user", "is all users")
    return user


def _scopes(claims: Mapping[str, Any], name: str) -> list[str]:
    given = _claim(claims, name)
    named = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return [scope for scope in SCOPES if scope in named]


def _claim(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    # A name that is an address has dots, too.
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


class _Keys:
    """Public keys by their ids; the subclass knows where they come from."""

    def __init__(self) -> None:
        self._found: list[jwt.PyJWK] = []
        self.problem = ""

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    async def key(self, key_id: object) -> jwt.PyJWK | None:
        """Return a key; without an id the only one there is."""
        await self.refresh(missing=self._named(key_id) is None)
        return self._named(key_id)

    async def refresh(self, *, missing: bool) -> None:
        """Read the keys anew where that is due; `missing`: the one wanted is not among them."""
        raise NotImplementedError

    def _named(self, key_id: object) -> jwt.PyJWK | None:
        found = [
            key
            for key in self._found
            if key.public_key_use in (None, "sig") and key_id in (None, key.key_id)
        ]
        return found[0] if len(found) == 1 else None


class _KeysOfFile(_Keys):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._seen = 0
        try:
            self._read()
        except _UNREADABLE as error:
            raise ConfigError(
                f"auth.jwks: {str(path)!r} is no file of public keys (JWKS) that can be read"
            ) from error

    async def refresh(self, *, missing: bool) -> None:  # noqa: ARG002 - a look costs nothing
        try:
            self._read()
        except _UNREADABLE as error:
            _complain(self, f"auth.jwks: {self._path} cannot be read ({type(error).__name__})")

    def _read(self) -> None:
        seen = self._path.stat().st_mtime_ns
        if seen == self._seen:
            return
        content = json.loads(self._path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError("no object")
        self._found = jwt.PyJWKSet.from_dict(content).keys
        self._seen, self.problem = seen, ""


class _KeysOfAddress(_Keys):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._client = jwt.PyJWKClient(address, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
        self._asked = self._got = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def refresh(self, *, missing: bool) -> None:
        now = time.monotonic()
        if not (missing or now - self._got > _FRESH_SECONDS):
            return
        if self._asking is None and now - self._asked > _PAUSE_SECONDS:
            self._asked = now
            self._asking = asyncio.create_task(self._ask())
        if missing and self._asking is not None:
            # Not cancelled with the request that began it: others wait for it, too.
            await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        try:
            self._found = (await asyncio.to_thread(self._client.get_jwk_set)).keys
            self._got, self.problem = time.monotonic(), ""
        except _UNREADABLE as error:
            _complain(
                self,
                f"auth.jwks: {self._address} gives no keys ({type(error).__name__}); those that "
                "are known go on",
            )
        finally:
            self._asking = None


def _keys(auth: AuthSettings) -> _Keys:
    if auth.jwks.startswith(("http://", "https://")):
        return _KeysOfAddress(auth.jwks)
    return _KeysOfFile(Path(auth.jwks))


def _complain(keys: _Keys, problem: str) -> None:
    if problem != keys.problem:
        logger.warning("%s", problem)
    keys.problem = problem
