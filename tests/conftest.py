"""Fixtures that every test may use: an environment of its own, and an open memory."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from llm_server import LLMServer

import mem_mcp
from mem_mcp import AsyncMemory, Settings
from mem_mcp.embedding import BundledEmbedder

# LiteLLM reads them when it is imported: its retries follow each other at once.
os.environ |= {"INITIAL_RETRY_DELAY": "0.01", "JITTER": "0.01"}
# Tests time nothing: a loaded machine is no fault of the code.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")
_OURS = (str(Path(mem_mcp.__file__).parent), str(Path(__file__).parent))
_warn = warnings.warn


def _strict_warn(
    message: Warning | str,
    category: type[Warning] | None = None,
    stacklevel: int = 1,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Raise what our own code warns of; what a dependency warns of stays a warning.

    A filter cannot tell the two apart: a deprecated function names its caller's module.
    """
    if sys._getframe(1).f_code.co_filename.startswith(_OURS):
        raise message if isinstance(message, Warning) else (category or UserWarning)(message)
    _warn(message, category, stacklevel + 1, *args, **kwargs)


warnings.warn = _strict_warn


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
