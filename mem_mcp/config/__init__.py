"""Settings: arguments > environment > YAML file > defaults."""

from mem_mcp.config.load import load_settings, setting_names, variable
from mem_mcp.config.section import Section
from mem_mcp.config.serving import AuthSettings, HttpSettings, LimitSettings
from mem_mcp.config.settings import (
    ALL_TOOLS,
    BUNDLED,
    CONFIG_VARIABLE,
    CORE_TOOLS,
    PREFIX,
    ArchiveSettings,
    LLMSettings,
    PictureSettings,
    RecallSettings,
    Settings,
    StoreSettings,
)

__all__ = [
    "ALL_TOOLS",
    "BUNDLED",
    "CONFIG_VARIABLE",
    "CORE_TOOLS",
    "PREFIX",
    "ArchiveSettings",
    "AuthSettings",
    "HttpSettings",
    "LLMSettings",
    "LimitSettings",
    "PictureSettings",
    "RecallSettings",
    "Section",
    "Settings",
    "StoreSettings",
    "load_settings",
    "setting_names",
    "variable",
]
