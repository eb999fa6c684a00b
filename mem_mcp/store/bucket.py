"""The object store that a store lives in: its client, and whether writers can rely on it.

LanceDB commits by writing an object that must not exist yet (If-None-Match). A server that ignores
the condition lets two writers overwrite each other's commits, and nobody is told.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mem_mcp.errors import StoreBusy, StoreError
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.retries import retried

if TYPE_CHECKING:
    from obstore.store import ObjectStore

KEEP_FOR_OTHERS = timedelta(hours=3)
"""How long earlier versions stay. Their age comes of the clocks of two machines, each of which may
be an hour off, and others may read them for an hour."""
_ALLOW_HTTP = ("AWS_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP", "AZURE_ALLOW_HTTP")
_CLOCK = "clock"
OWN = "_mem_mcp"
"""Folder in the store of what is no table."""
_TIMEOUT, _CONNECT_TIMEOUT, _RETRIES = "30", "5", "5"
# A store that is not there, or has no credentials, is told of after seconds.
_RETRY_SECONDS = 20
_CONDITIONS = StoreError(
    "the object store does not honour conditional writes (If-None-Match, If-Match), so writers "
    "would overwrite each other: nothing was stored, and what is there can be read",
    "use one that does, such as Amazon S3, Google Cloud Storage, Azure Blob Storage, MinIO or Ceph",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read or written."""

    content: bytes
    tag: str
    """Changes whenever the object does."""
    version: str = ""
    """By which Google Cloud Storage tells that; empty where there is none."""


class Bucket:
    """A place in an object store.

    Args:
        location: its address.
        options: `store.options` of the settings; what they leave out is taken from the
            environment, as are credentials.
    """

    def __init__(self, location: str, options: Mapping[str, str]) -> None:
        self.location = location
        self._options = options
        self._store: ObjectStore | None = None

    @property
    def storage_options(self) -> dict[str, str]:
        """The options as LanceDB takes them."""
        retries = self._options.get("retries", _RETRIES)
        return {
            **self._address(),
            **self._client(),
            "client_max_retries": retries,
            "client_retry_timeout": str(_RETRY_SECONDS),
        }

    @retried
    async def read(self, name: str) -> Stored | None:
        """Read an object; None if there is none.

        Raises:
            StoreError: the object store failed or refused.
        """
        import obstore  # noqa: PLC0415 - most stores are folders

        with store_errors("read", self.location):
            try:
                found = await obstore.get_async(self._opened(), _path(name))
                content = bytes(await found.bytes_async())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            return _stored(content, found.meta)

    async def write(self, name: str, content: bytes, *, over: Stored | None) -> Stored | None:
        """Write an object, if it still is as it was.

        Args:
            name: of the object.
            content: of the object.
            over: the object as it was; None if there was none.

        Returns:
            The object as it is now; None if another has written it first.

        Raises:
            StoreBusy: whether it was written is unknown.
            StoreError: the object store failed or refused.
        """
        import obstore  # noqa: PLC0415 - most stores are folders
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415

        mode: Any = "create"
        if over:  # what is empty is refused
            mode = {"e_tag": over.tag, "version": over.version}
            mode = {name: value for name, value in mode.items() if value}
        with store_errors("write", self.location):
            try:
                done = await obstore.put_async(self._opened(), _path(name), content, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return None
            return _stored(content, done)

    @retried
    async def ages(self, prefix: str) -> dict[str, timedelta]:
        """Return the objects whose name begins so, with their ages by the clock of the server."""
        import obstore  # noqa: PLC0415 - most stores are folders

        with store_errors("read", self.location):
            listed = await obstore.list(self._opened(), OWN).collect_async()
            dates = {each["path"].rpartition("/")[2]: each["last_modified"] for each in listed}
            dates = {name: date for name, date in dates.items() if name.startswith(prefix)}
            if not dates:
                return {}
            await obstore.put_async(self._opened(), _path(_CLOCK), b"")
            now = (await obstore.head_async(self._opened(), _path(_CLOCK)))["last_modified"]
            return {name: now - date for name, date in dates.items()}

    async def remove(self, name: str) -> None:
        """Remove an object, whatever it is by now."""
        import obstore  # noqa: PLC0415 - most stores are folders

        with store_errors("write", self.location), suppress(FileNotFoundError):
            await obstore.delete_async(self._opened(), _path(name))

    @retried
    async def refusal(self) -> StoreError | None:
        """Return why nothing may be written here; None if writers can rely on it.

        Raises:
            StoreError: it cannot even be read.
        """
        name = f"probe-{uuid.uuid4().hex}"
        try:
            first = await self.write(name, b"1", over=None)
        except StoreBusy:
            raise
        except StoreError as error:
            await self.read(name)  # raises where it cannot be read, either
            problem = f"{error.problem}: nothing was stored, and what is there can be read"
            return StoreError(problem, error.helps)
        try:
            if not first or await self.write(name, b"2", over=None):
                return _CONDITIONS
            second = await self.write(name, b"2", over=first)
            if not second or await self.write(name, b"3", over=first):
                return _CONDITIONS
        finally:
            await self.remove(name)
        return None

    def _opened(self) -> ObjectStore:
        if self._store is None:
            from obstore.store import from_url  # noqa: PLC0415 - most stores are folders

            config: Any = self._address()
            client: Any = self._client()
            self._store = from_url(
                self.location,
                config=config,
                client_options=client,
                retry_config={
                    "max_retries": int(self._options.get("retries", _RETRIES)),
                    "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
                },
            )
        return self._store

    def _address(self) -> dict[str, str]:
        address = {
            name: self._options[name] for name in ("endpoint", "region") if name in self._options
        }
        if "path_style" in self._options:
            is_host = self._options["path_style"] == "false"
            address["virtual_hosted_style_request"] = str(is_host).lower()
        return address

    def _client(self) -> dict[str, str]:
        client = {"timeout": _TIMEOUT, "connect_timeout": _CONNECT_TIMEOUT} | {
            name: self._options[name]
            for name in ("timeout", "connect_timeout")
            if name in self._options
        }
        client = {name: f"{seconds}s" for name, seconds in client.items()}
        # The client takes this from the environment only where nothing else is set.
        given = [os.environ.get(name, "") for name in _ALLOW_HTTP]
        if allow_http := self._options.get("allow_http") or next(filter(None, given), ""):
            client["allow_http"] = allow_http.lower()
        return client


def _stored(content: bytes, fields: Mapping[str, Any]) -> Stored:
    return Stored(content, fields["e_tag"] or "", fields["version"] or "")


def _path(name: str) -> str:
    return f"{OWN}/{name}"
