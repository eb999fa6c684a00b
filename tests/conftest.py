"""Fixtures that every test may use: an environment of its own, and an open memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from llm_server import LLMServer

from mem_mcp import AsyncMemory, Settings
from mem_mcp.embedding import BundledEmbedder


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def loaded_model() -> Iterator[None]:
    """Keep the bundled model in memory: who opens a memory after another has it at once."""
    embedder = BundledEmbedder()
    embedder.load()
    yield
    embedder.close()


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point every default at the test's own folder, also for subprocesses."""
    for name in os.environ:
        if name.startswith("MEM_MCP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(tmp_path / "memory"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "memory")


@pytest.fixture
async def memory(settings: Settings) -> AsyncIterator[AsyncMemory]:
    async with AsyncMemory.open(settings) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[LLMServer]:
    """Run a language model's server on loopback."""
    with LLMServer() as running:
        yield running
