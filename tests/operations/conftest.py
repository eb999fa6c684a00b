"""Fixtures of the operations: one embedder for the memories of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mem_mcp.embedding import BundledEmbedder


@pytest.fixture(scope="module")
def embedder() -> Iterator[BundledEmbedder]:
    shared = BundledEmbedder()
    yield shared
    shared.close()


@pytest.fixture
def one_model(embedder: BundledEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the model once a file: it takes longer than most tests."""
    monkeypatch.setattr(embedder, "close", lambda: None)
    monkeypatch.setattr("mem_mcp.memory.BundledEmbedder", lambda: embedder)
