"""Check the settings that a memory reads only when something needs them."""

from __future__ import annotations

import os
from pathlib import Path

from mem_mcp.config import Settings
from mem_mcp.errors import ConfigError


def check_late_settings(settings: Settings) -> None:
    """Check what the folders hold that settings name: prompts, and pictures.

    Nothing else depends on them, so a memory opens without; a server says so at its start.

    Raises:
        ConfigError: one is wrong; the message names it.
    """
    if settings.llm.prompts:
        from mem_mcp.prompts import Prompts  # noqa: PLC0415 - few users override prompts

        Prompts.load(Path(settings.llm.prompts))
    if settings.pictures.folder:
        try:
            os.scandir(settings.pictures.folder).close()
        except OSError as error:
            raise ConfigError(
                f"pictures.folder: {settings.pictures.folder!r}: {error.strerror}; name a folder "
                "that can be read, or leave it empty"
            ) from error
