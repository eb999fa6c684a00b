"""Fixtures of the suites: settings for many small stores, and a place for these."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mem_mcp import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = {"data_dir": tmp_path / "memory", "store": {"durability": "os"}}
    return Settings.model_validate(given)


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the stores off the disk, where the system has a place: there is one for each case."""
    if os.access("/dev/shm", os.W_OK):
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
