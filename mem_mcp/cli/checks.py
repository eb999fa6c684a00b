"""What `mem-mcp doctor` looks at; each check returns what it found or raises what is wrong."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise

import mem_mcp
from mem_mcp.cli.client import call, connected
from mem_mcp.cli.output import counted
from mem_mcp.config import PREFIX, Settings, variable
from mem_mcp.errors import MemError
from mem_mcp.models import Stats

PACKAGES = ("mcp", "lancedb", "pyarrow", "litellm", "onnxruntime", "tokenizers", "pydantic")
OLDEST_PYTHON = (3, 11)


def python(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Check the version of Python."""
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        raise MemError(f"{found} is too old; 3.11 is the oldest that works")
    return f"{found} at {sys.executable}"


def packages(settings: Settings) -> str:  # noqa: ARG001 - every check takes the settings
    """Check that what mem-mcp needs is installed, without importing it."""
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
    """Check that the store's folder can be written to."""
    if settings.storage_uri:
        return f"not used: storage_uri is {settings.storage_uri}"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
        probe.write(b"mem-mcp")
    free = shutil.disk_usage(settings.data_dir).free
    return f"{settings.data_dir} can be written to, {free / 1e9:,.1f} GB free"


def store(settings: Settings) -> str:
    """Check that the store opens, holds this embedder's vectors, and misses none."""

    async def look() -> Stats:
        async with mem_mcp.AsyncMemory.open(settings) as memory:
            return await memory.stats()

    found = asyncio.run(look())
    if found.without_vector:
        raise MemError(f"{counted(found.without_vector)} without a vector, found by words only")
    versions = counted(found.versions, "version", "versions")
    return f"{counted(found.memories)}, {versions}, vectors of {found.embedder}"


def embedder(settings: Settings) -> str:  # noqa: ARG001 - there is one embedder
    """Check the model's files against their checksums, load it and embed a text."""
    from mem_mcp.embedding import BundledEmbedder  # noqa: PLC0415 - brings numpy

    bundled = BundledEmbedder()
    try:
        bundled.load()
        (vector,) = asyncio.run(bundled.embed(["Does it work?"]))
    finally:
        bundled.close()
    return f"{bundled.identity}, files intact, {len(vector)} dimensions"


def language_model(settings: Settings) -> str:
    """Check that the configured language model answers in the form that is asked for."""
    if not settings.llm.model:
        return "none configured; everything works without (llm.model names one)"
    from pydantic import BaseModel  # noqa: PLC0415 - with its user

    from mem_mcp.llm import Completion, Gateway  # noqa: PLC0415 - LiteLLM takes seconds

    class Ready(BaseModel):
        ready: bool

    async def ask() -> tuple[Completion[Ready], list[str]]:
        gateway = Gateway(settings.llm)
        try:
            missing = await gateway.missing_keys()
            if missing and not settings.llm.api_base:
                raise MemError(f"{settings.llm.model}: set {', '.join(missing)}")
            words = [{"role": "user", "content": "Answer with ready set to true."}]
            return await gateway.complete(words, Ready), missing
        finally:
            await gateway.aclose()

    done, _ = asyncio.run(ask())
    used = done.usage
    cost = "cost unknown" if used.cost_usd is None else f"{used.cost_usd:.6f} dollars"
    tokens = f"{used.input_tokens} + {used.output_tokens} tokens"
    return f"{done.model} answers in {used.seconds:.1f} s ({tokens}, {cost})"


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
                await call(client, "recall", query="Does it work?", limit=1)
            times.append(time.perf_counter())
        took = [after - before for before, after in pairwise(times)]
        return "initialize {:.2f} s, tools/list {:.2f} s, first recall {:.2f} s".format(*took)

    return asyncio.run(ask())
