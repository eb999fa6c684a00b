"""What `mem-mcp doctor` looks at.

Each check returns what it found, or None where it is not called for, or raises what is wrong.
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

PACKAGES = ("mcp", "lancedb", "pyarrow", "litellm", "onnxruntime", "tokenizers", "pydantic")
OLDEST_PYTHON = (3, 11)
T = TypeVar("T")
_PROBED_BYTES = 100_000
_LEAST_FREE = 10_000_000
_PROBE = "Does it work?"
_MEMORIES = ("It works.", "Bread is baked from flour and water.")


def python(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Finding the version of Python."""
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        raise MemError(f"{found} is too old; 3.11 is the oldest that works")
    return f"{found} at {sys.executable}"


def packages(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Finding that what mem-mcp needs is installed, without importing it."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        raise MemError(f"not installed: {', '.join(missing)}")
    return ", ".join(found)


def data_directory(settings: Settings) -> str:
    """Finding that the store's folder can be written to."""
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
    """Finding that the store opens, holds this embedder's vectors, and misses none."""
    found = asyncio.run(_examined(settings))
    if found.without_vector:
        raise StoreError(
            f"{counted(found.without_vector)} without a vector, found by words only",
            "mem-mcp maintain makes them",
        )
    versions = counted(found.versions, "version", "versions")
    return f"{counted(found.memories)}, {versions}, vectors of {found.embedder}"


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
    """Finding the bundled model's files against their checksums, load it and embed a text."""
    if not settings.embedding.bundled:
        return None
    from mem_mcp.embedding import BundledEmbedder  # noqa: PLC0415 - brings numpy

    bundled = BundledEmbedder()
    try:
        bundled.load()
        (vector,) = asyncio.run(bundled.embed([_PROBE]))
    finally:
        bundled.close()
    return f"{bundled.identity}, files intact, {len(vector)} dimensions, costs nothing"


def embedding_model(settings: Settings) -> str | None:
    """Finding that the configured embedding model makes vectors."""
    chosen = settings.embedding
    if chosen.bundled:
        return None

    async def embed(gateway: Gateway) -> int:
        (vector,) = await gateway.embed([_PROBE], chosen.model, api_base=chosen.api_base)
        return len(vector)

    dimension, used = _asked(settings, chosen.model, chosen.api_base, embed)
    with suppress(StoreError):  # the check of the store tells it
        stored = asyncio.run(_counts(settings)).dimension
        if stored not in (None, dimension):
            raise MemError(
                f"{chosen.model} gives vectors of {dimension:,} numbers, and the store holds those "
                f"of {stored:,}: another model now stands behind that name"
            )
    return f"{_answers(chosen.model, used)}: vectors of {dimension:,} dimensions"


def reranker(settings: Settings) -> str | None:
    """Finding that the configured reranking model scores memories."""
    chosen = settings.rerank
    if not chosen.model:
        return None

    async def rerank(gateway: Gateway) -> list[float]:
        return await gateway.rerank(_PROBE, _MEMORIES, chosen.model, api_base=chosen.api_base)

    _, used = _asked(settings, chosen.model, chosen.api_base, rerank)
    return _answers(chosen.model, used)


def language_model(settings: Settings) -> str:
    """Finding that the configured language model answers in the form that is asked for."""
    if not settings.llm.model:
        return "none configured; everything works without (llm.model names one)"
    from pydantic import BaseModel  # noqa: PLC0415 - with its user

    class Ready(BaseModel):
        ready: bool

    async def complete(gateway: Gateway) -> str:
        words = [{"role": "user", "content": "Answer with ready set to true."}]
        return (await gateway.complete(words, Ready)).model

    model, used = _asked(settings, settings.llm.model, settings.llm.api_base, complete)
    return _answers(model, used)


def _asked(
    settings: Settings, model: str, api_base: str, ask: Callable[[Gateway], Awaitable[T]]
) -> tuple[T, Usage]:
    """Ask a model, if its key is there; return what came of it and what it took."""
    from mem_mcp.llm import Gateway  # noqa: PLC0415 - the command line starts without it

    async def asked() -> tuple[T, Usage]:
        gateway = Gateway(settings.llm)
        try:
            # A server of one's own mostly wants no key.
            if not api_base and (missing := await gateway.missing_keys(model)):
                raise MemError(f"{model}: set {', '.join(missing)}")
            with gateway.turn() as turn:
                return await ask(gateway), turn.usage
        finally:
            await gateway.aclose()

    return asyncio.run(asked())


def _answers(model: str, used: Usage) -> str:
    return f"{model} answers in {used.seconds:.1f} s ({spent(used)})"


def start(settings: Settings) -> str:
    """Start the server as a desktop client does, and time its first answers."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
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
        took = [after - before for before, after in pairwise(times)]
        return "initialize {:.2f} s, tools/list {:.2f} s, first recall {:.2f} s".format(*took)

    return asyncio.run(ask())
