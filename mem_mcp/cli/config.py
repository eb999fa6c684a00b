"""mem-mcp config: show every setting or prompt in use, and its source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import show
from mem_mcp.config import LLMSettings, load_settings, setting_names, settings_file, variable

SECRET = ("auth.tokens",)


class Setting(BaseModel):
    """A setting in use."""

    name: str
    value: Any
    source: str
    """"default", the settings file, or the environment variable."""


class Configuration(BaseModel):
    """All settings."""

    settings: list[Setting]


class Prompt(BaseModel):
    """A prompt as a model receives it."""

    name: str
    source: str
    """"ours", or the file that overrides it."""
    text: str
    """The system message: the guidance with the rules filled in."""


class Prompting(BaseModel):
    """All prompts."""

    prompts: list[Prompt]
    instructions: str
    """The setting llm.instructions as a model receives it, before its input; may be empty."""


def config(
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Show what a language model is told instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every setting, its value and its source."""
    loaded = load_settings()
    if prompts:
        show(_prompting(loaded.llm), _prompt_lines, as_json=as_json)
        return
    values = loaded.model_dump(mode="json")
    file = settings_file.named_file()
    written = settings_file.read(file) if file else {}
    settings = [
        Setting(name=name, value=_shown(name, values), source=_source(name, written, str(file)))
        for name in setting_names()
    ]
    show(Configuration(settings=settings), _lines, as_json=as_json)


def _prompting(settings: LLMSettings) -> Prompting:
    # Imported late, so that other commands start faster.
    from mem_mcp.prompts import (  # noqa: PLC0415
        Prompts,
        delimiters,
        describe,
        extract,
        judge,
        procedure,
        template,
        verify,
    )  # fmt: skip

    folder = Path(settings.prompts) if settings.prompts else None
    texts = Prompts.load(folder)
    shown = []
    for module in (extract, verify, judge, procedure, describe):
        name = module.__name__.rpartition(".")[2]
        file = folder / f"{name}.md" if folder else None
        system, _ = template.asking(getattr(texts, name), module.RULES, "")
        source = str(file) if file and file.exists() else "ours"
        shown.append(Prompt(name=name, source=source, text=system["content"]))
    return Prompting(
        prompts=shown, instructions="".join(delimiters.asked_for([settings.instructions]))
    )


def _prompt_lines(prompting: Prompting) -> Iterator[str]:
    for prompt in prompting.prompts:
        yield from (f"=== {prompt.name}, {prompt.source}", prompt.text, "")
    yield "=== instructions, llm.instructions"
    yield prompting.instructions or "none"


def _source(name: str, written: Mapping[str, Any], file: str) -> str:
    # Names of environment variables are not case-sensitive.
    variables = {key.upper(): key for key, value in os.environ.items() if value}
    if variable(name) in variables:
        return variables[variable(name)]
    return "default" if _at(name, written) is None else file


def _shown(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    value = _at(name, values)
    return "***" if name in SECRET and value else value


def _at(name: str, tree: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    part: Any = tree
    for key in name.split("."):
        part = (part or {}).get(key)
    return part


def _lines(configuration: Configuration) -> Iterator[str]:
    names = max(len(setting.name) for setting in configuration.settings)
    values = max(len(_text(setting.value)) for setting in configuration.settings)
    for setting in configuration.settings:
        yield f"{setting.name:<{names}}  {_text(setting.value):<{values}}  {setting.source}"


def _text(value: object) -> str:
    return "-" if value in ("", {}) else str(value)
