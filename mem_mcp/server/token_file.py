"""The file of bearer tokens: of each its hash, its user and what it allows."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mem_mcp.api import checks
from mem_mcp.api.models import GLOBAL_USER
from mem_mcp.errors import InvalidInput, MemError, StoreError
from mem_mcp.times import utc_now

TokenScope = Literal["read", "write", "global", "admin"]
"""What a token allows: to read and to write its user's memories, to write what all users share,
and to see counts of everybody's."""
SCOPES: tuple[TokenScope, ...] = get_args(TokenScope)
_PREFIX = "memmcp_"
"""Lets programs that look for leaked keys know one."""
_RANDOM_BYTES = 32
_ID_BYTES = 6
_LOCK_SECONDS = 10
_OWNER_ONLY = 0o600


class Token(BaseModel):
    """What is known of a token; its text is known to its bearer alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    user: str = Field(min_length=1)
    scopes: list[TokenScope]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    created_at: datetime
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    tokens: list[Token] = []


def digest(token: str) -> str:
    """Return the hash of a token, as the file has it."""
    # A fast hash suffices: 256 random bits cannot be guessed.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def matching(tokens: Iterable[Token], token: str) -> Token | None:
    """Return which of some tokens one is.

    How long that takes says nothing about the tokens: all of them are compared, in constant time.
    """
    wanted = digest(token)
    found = None
    for one in tokens:
        if hmac.compare_digest(one.sha256, wanted):
            found = one
    return found


def scopes_of(text: str) -> list[TokenScope]:
    """Read scopes separated by commas or spaces.

    Raises:
        InvalidInput: one is unknown, or there is none.
    """
    names = text.replace(",", " ").split()
    if unknown := [name for name in names if name not in SCOPES]:
        raise InvalidInput("scopes", f"{unknown[0]!r} is not one of {', '.join(SCOPES)}")
    if not names:
        raise InvalidInput("scopes", f"name some of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in names]


class TokenFile:
    """A file of tokens, which several processes may read and change.

    Args:
        path: of the file; it is made, readable by its owner only, with the first token.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Token]:
        """Return the tokens, also those that expired; none where there is no file.

        Raises:
            StoreError: the file cannot be read, or is none of ours.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(
                f"auth.token_file: {self.path} cannot be read ({error.strerror})",
                "let the user who runs mem-mcp read it, or name another file",
            ) from error
        try:
            return _Content.model_validate_json(content).tokens
        except ValidationError as error:
            raise StoreError(
                f"auth.token_file: {self.path} is no file of tokens, or is damaged",
                "restore it, or move it away and make new tokens with mem-mcp token create",
            ) from error

    def create(
        self, user: str, scopes: Sequence[TokenScope], expires_at: datetime | None = None
    ) -> tuple[str, Token]:
        """Make a token and store its hash.

        Args:
            user: whose memories it is for.
            scopes: what it allows.
            expires_at: from when on it is refused; None for never.

        Returns:
            The token, which is shown this once, and what is stored of it.

        Raises:
            InvalidInput: the user's name cannot be one, or the token would be over already.
            StoreError: the file cannot be read or written.
        """
        user = checks.required_text(user, "user", checks.MAX_NAME)
        if user == GLOBAL_USER:
            raise InvalidInput(
                "user", f'"{GLOBAL_USER}" is all users; give a user of yours the scope global'
            )
        now = utc_now()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("expires", "is past, so the token would never be accepted")
        token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        made = Token(
            id=secrets.token_hex(_ID_BYTES),
            user=user,
            scopes=list(scopes),
            sha256=digest(token),
            created_at=now,
            expires_at=expires_at,
        )
        self._change(lambda tokens: [*tokens, made])
        return token, made

    def revoke(self, chosen: Callable[[Token], bool]) -> list[Token]:
        """Take tokens out of the file; running servers refuse them within seconds.

        Args:
            chosen: says which.

        Returns:
            The tokens that were taken out.

        Raises:
            StoreError: the file cannot be read or written.
        """
        gone: list[Token] = []

        def others(tokens: Sequence[Token]) -> list[Token]:
            gone.extend(token for token in tokens if chosen(token))
            return [token for token in tokens if not chosen(token)]

        self._change(others)
        return gone

    def _change(self, change: Callable[[list[Token]], list[Token]]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=_LOCK_SECONDS, mode=_OWNER_ONLY):
                before = self.read()
                after = change([*before])
                if after != before:
                    self._write(_Content(tokens=after).model_dump_json(indent=1))
        except Timeout as error:
            raise StoreError(
                f"auth.token_file: {self.path} is being changed by another process", "try again"
            ) from error
        except OSError as error:
            raise StoreError(
                f"auth.token_file: {self.path} cannot be written ({error.strerror})",
                "name a file in a folder that can be written",
            ) from error

    def _write(self, text: str) -> None:
        # A reader sees the old file or the new one; mkstemp's is the owner's alone.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class WatchedTokens:
    """The tokens of a file as it is at each moment.

    What cannot be read allows nobody in.

    Args:
        file: the file.
        fixed: tokens beside those of the file.
        on_error: told once why a file cannot be read.
    """

    def __init__(
        self, file: TokenFile, fixed: Sequence[Token], on_error: Callable[[MemError], None]
    ) -> None:
        self._file = file
        self._fixed = list(fixed)
        self._on_error = on_error
        self._seen: tuple[int, ...] | None = None
        self._tokens: list[Token] = []
        self.were_there = bool(fixed)
        """Whether there ever were some: a server that asked for them does not stop asking."""

    def now(self) -> list[Token]:
        """Return the tokens that have not expired."""
        self._refresh()
        now = utc_now()
        return [token for token in (*self._fixed, *self._tokens) if not token.is_over(now)]

    def _refresh(self) -> None:
        # Each time: a look at a file's times takes microseconds, and a revoked token none longer.
        try:
            stat = self._file.path.stat()
        except OSError:
            self._seen, self._tokens = None, []
            return
        self.were_there = True
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._tokens = self._file.read()
        except StoreError as error:
            self._tokens = []
            self._on_error(error)
