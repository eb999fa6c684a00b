"""mem-mcp config: every setting, its value and where it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import YamlConfigSettingsSource

from mem_mcp.cli.options import Json
from mem_mcp.cli.output import show
from mem_mcp.config import CONFIG_VARIABLE, Settings, load_settings, setting_names, variable

SECRET = ("auth.tokens",)


class Setting(BaseModel):
    """One setting as it is in force."""

    name: str
    value: Any
    source: str


class Configuration(BaseModel):
    """Every setting."""

    settings: list[Setting]


def config(as_json: Json = False) -> None:
    """Show every setting, its value and its source."""
    values = load_settings().model_dump(mode="json")
    file = os.environ.get(CONFIG_VARIABLE, "")
    written = YamlConfigSettingsSource(Settings, Path(file).expanduser())() if file else {}
    found = [
        Setting(name=name, value=_shown(name, values), source=_source(name, written, file))
        for name in setting_names()
    ]
    show(Configuration(settings=found), _lines, as_json=as_json)


def _source(name: str, written: Mapping[str, Any], file: str) -> str:
    # The environment is read without regard to case.
    given = {key.upper(): key for key in os.environ}
    if variable(name) in given:
        return given[variable(name)]
    return "default" if _at(name, written) is None else file


def _shown(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    value = _at(name, values)
    return "***" if name in SECRET and value else value


def _at(name: str, tree: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    part: Any = tree
    for key in name.split("."):
        part = (part or {}).get(key)
    return part


def _lines(found: Configuration) -> Iterator[str]:
    names = max(len(setting.name) for setting in found.settings)
    values = max(len(_text(setting.value)) for setting in found.settings)
    for one in found.settings:
        yield f"{one.name:<{names}}  {_text(one.value):<{values}}  {one.source}"


def _text(value: object) -> str:
    return "-" if value in ("", {}) else str(value)
