"""What ran: versions, commit and the settings that bear on the figures."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mem_mcp import __version__
from mem_mcp.config import Settings

_SOURCE = Path(__file__).parents[2]
# Paths and secrets stay out: reports are passed on.
_SETTINGS: Any = {"remember": True, "recall": True, "embedding": {"model"}, "llm": {"model"}}


def versions() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    packages = {name: version(name) for name in ("lancedb", "onnxruntime")}
    return {"mem-mcp": __version__, **packages, "python": platform.python_version()}


def commit() -> str | None:
    """Return the commit of the source tree, -dirty if it was changed; None where there is none."""
    if not (_SOURCE / ".git").exists():
        return None
    # With every tag excluded, describe prints the plain hash, and says whether files changed.
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=_SOURCE, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


def settings_of(settings: Settings) -> dict[str, Any]:
    """Return the settings that bear on the figures."""
    return settings.model_dump(mode="json", include=_SETTINGS)
