"""The checks of `mem-mcp doctor`.

Each check returns a line that describes what works, or None if the settings make it unnecessary.
If something is wrong, it raises a MemError, OSError or ImportError that says what.
"""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import mem_mcp
from mem_mcp.api.stats import Stats
from mem_mcp.cli.output import counted, spent
from mem_mcp.cli.stdio_client import call, connected
from mem_mcp.config import PREFIX, Settings, variable
from mem_mcp.errors import MemError, StoreError

if TYPE_CHECKING:
    from mem_mcp.llm import Gateway, Usage

PACKAGES = ("mcp", "lancedb", "pyarrow", "litellm", "onnxruntime", "pydantic")
OLDEST_PYTHON = (3, 11)
T = TypeVar("T")
# By which an object store is reached, and who may.
_STORE_VARIABLES = (
    "AWS_",
    "GOOGLE_",
    "AZURE_",
    "LANCEDB_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_PROBED_BYTES = 100_000
_LEAST_FREE = 10_000_000
_PROBE = "Does it work?"
_MEMORIES = ("It works.", "Bread is baked from flour and water.")


def python(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Check the version of Python."""
    running = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        raise MemError(f"{running} is too old; 3.11 is the oldest that works")
    return f"{running} at {sys.executable}"


def packages(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Check that the packages that mem-mcp needs are installed, without importing them."""
    installed, missing = [], []
    for name in PACKAGES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        raise MemError(f"not installed: {', '.join(missing)}")
    return ", ".join(installed)


def data_directory(settings: Settings) -> str:
    """Check that the store's folder can be written to, and that its disk has free space."""
    if settings.storage_uri:
        return f"not used: storage_uri is {settings.storage_uri}"
    folder = settings.data_dir
    for above in (folder, *folder.parents):
        if above.exists() and not above.is_dir():
            raise StoreError(
                f"{above} is a file, and a folder is needed",
                "move it away, or choose another folder with MEM_MCP_DATA_DIR",
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBED_BYTES))
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}", _folder_remedy(error)) from error
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        raise StoreError(
            f"{folder} can be written to, but only {free / 1e6:,.1f} MB are free on its disk",
            "free some space there: what finds none is not stored",
        )
    return f"{folder} can be written to, {free / 1e9:,.1f} GB free"


def _folder_remedy(error: OSError) -> str:
    elsewhere = "or choose another folder with MEM_MCP_DATA_DIR"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space on its disk, {elsewhere}; what is stored can be read meanwhile"
    if error.errno == errno.EROFS:
        return f"mount it writable, {elsewhere}; what is stored can be read meanwhile"
    return (
        f"let this user write there (chown or chmod), {elsewhere}; what is stored can be read "
        "where it may be"
    )


def store(settings: Settings) -> str:
    """Check that the store opens, is undamaged, and has this embedder's vector of every memory."""
    stats = asyncio.run(_examined(settings))
    if stats.without_vector and not stats.embedded_anew:
        raise StoreError(
            f"{counted(stats.without_vector)} without a vector, found by words only",
            "mem-mcp maintain makes them",
        )
    versions = counted(stats.versions, "version", "versions")
    found = f"{counted(stats.memories)}, {versions}, vectors of {stats.embedder}"
    if copies := _copies(settings):
        found += f"; as it was before an upgrade in {copies}: remove it when you miss nothing"
    if stats.without_vector:
        left = f"{stats.without_vector:,} of them wait for theirs and are found by words"
        return f"{found}; {left}: a running server makes them, and mem-mcp reembed does it now"
    return found


def _copies(settings: Settings) -> str:
    from mem_mcp.store import copies_before_upgrades  # noqa: PLC0415 - imports LanceDB

    copies = [] if settings.storage_uri else copies_before_upgrades(settings.data_dir)
    return ", ".join(map(str, copies))


async def _examined(settings: Settings) -> Stats:
    async with mem_mcp.AsyncMemory.open(settings) as memory:
        if damaged := await memory.examine():
            *problem, remedy = damaged[0].split("; ")
            raise StoreError("; ".join([*problem, *damaged[1:]]), remedy)
        return await memory.stats()


async def _counts(settings: Settings) -> Stats:
    async with mem_mcp.AsyncMemory.open(settings) as memory:
        return await memory.stats()


def embedder(settings: Settings) -> str | None:
    """Check the bundled model's files against their checksums, load it and embed a text."""
    if not settings.embedding.bundled:
        return None
    from mem_mcp.embedding import BundledEmbedder  # noqa: PLC0415 - imports numpy

    bundled = BundledEmbedder()
    try:
        bundled.load()
        (vector,) = asyncio.run(bundled.embed([_PROBE], "passage"))
    finally:
        bundled.close()
    return f"{bundled.identity}, files intact, {len(vector)} dimensions, costs nothing"


def embedding_model(settings: Settings) -> str | None:
    """Check that the configured embedding model returns vectors that fit the store."""
    configured = settings.embedding
    if configured.bundled:
        return None

    async def embed(gateway: Gateway) -> int:
        (vector,) = await gateway.embed([_PROBE], configured.model, api_base=configured.api_base)
        return len(vector)

    dimension, usage = _call(settings, configured.model, configured.api_base, embed)
    with suppress(StoreError):  # the check of the store reports it
        stored = asyncio.run(_counts(settings)).dimension
        if stored not in (None, dimension):
            raise MemError(
                f"{configured.model} gives vectors of {dimension:,} numbers, and the store holds "
                f"those of {stored:,}: another model now stands behind that name"
            )
    return f"{_answers(configured.model, usage)}: vectors of {dimension:,} dimensions"


def reranker(settings: Settings) -> str | None:
    """Check that the configured reranking model scores texts."""
    configured = settings.rerank
    if not configured.model:
        return None

    async def rerank(gateway: Gateway) -> list[float]:
        return await gateway.rerank(
            _PROBE, _MEMORIES, configured.model, api_base=configured.api_base
        )

    _, usage = _call(settings, configured.model, configured.api_base, rerank)
    return _answers(configured.model, usage)


def language_model(settings: Settings) -> str:
    """Check that the configured language model answers in the requested structure."""
    if not settings.llm.model:
        return "none configured; everything works without (llm.model names one)"
    from pydantic import BaseModel  # noqa: PLC0415 - only this check needs it

    class Ready(BaseModel):
        ready: bool

    async def complete(gateway: Gateway) -> tuple[str, str]:
        messages = [{"role": "user", "content": "Answer with ready set to true."}]
        return (await gateway.complete(messages, Ready)).model, await gateway.unbounded()

    (model, note), usage = _call(settings, settings.llm.model, settings.llm.api_base, complete)
    return "; ".join(filter(None, [_answers(model, usage), note]))


def what_waits(settings: Settings) -> str | None:
    """Check that nothing waits that the language model was given up for."""
    if not settings.llm.model:
        return None
    try:
        stats = asyncio.run(_counts(settings))
    except StoreError:  # the check of the store reports it
        return None
    if stats.given_up:
        raise MemError(
            f"{counted(stats.given_up)} that the language model failed at too often to be asked "
            "again by itself; they are found as they were given"
        )
    return f"{counted(stats.waiting)} for the language model"


def _call(
    settings: Settings, model: str, api_base: str, request: Callable[[Gateway], Awaitable[T]]
) -> tuple[T, Usage]:
    """Call a model; return its answer and the tokens, cost and seconds it took.

    Raises:
        MemError: the provider's key is not set, or the call failed.
    """
    from mem_mcp.llm import Gateway  # noqa: PLC0415 - other commands start faster without it

    async def answered() -> tuple[T, Usage]:
        gateway = Gateway(settings.llm)
        try:
            # A server at an address of the user's own usually needs no key.
            if not api_base and (missing := await gateway.missing_keys(model)):
                raise MemError(f"{model}: set {', '.join(missing)}")
            with gateway.turn() as turn:
                return await request(gateway), turn.usage
        finally:
            await gateway.aclose()

    return asyncio.run(answered())


def _answers(model: str, usage: Usage) -> str:
    return f"{model} answers in {usage.seconds:.1f} s ({spent(usage)})"


def start(settings: Settings) -> str:
    """Start the server as a desktop client does, and measure the time to its first answers."""
    passed_on = (PREFIX, *(_STORE_VARIABLES if settings.storage_uri else ()))
    environment = {name: value for name, value in os.environ.items() if name.startswith(passed_on)}
    environment[variable("data_dir")] = str(settings.data_dir)

    async def ask() -> str:
        times = [time.perf_counter()]
        async with connected(environment) as client:
            times.append(time.perf_counter())
            tools = {tool.name for tool in (await client.list_tools()).tools}
            times.append(time.perf_counter())
            if "recall" in tools:
                await call(client, "recall", query=_PROBE, limit=1)
            times.append(time.perf_counter())
        seconds = [end - begin for begin, end in pairwise(times)]
        return "initialize {:.2f} s, tools/list {:.2f} s, first recall {:.2f} s".format(*seconds)

    return asyncio.run(ask())
