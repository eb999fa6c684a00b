"""mem-mcp config: every setting or prompt in force, and where it came from."""

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
    """One setting as it is in force."""

    name: str
    value: Any
    source: str


class Configuration(BaseModel):
    """Every setting."""

    settings: list[Setting]


class Prompt(BaseModel):
    """One prompt as a model gets it."""

    name: str
    source: str
    """ours, or the file it is from."""
    text: str
    """Of the system message: the guidance with the rules in their place."""


class Prompting(BaseModel):
    """Every prompt."""

    prompts: list[Prompt]
    instructions: str
    """The setting llm.instructions as a model gets it, before what it shall read; may be empty."""


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
    found = [
        Setting(name=name, value=_shown(name, values), source=_source(name, written, str(file)))
        for name in setting_names()
    ]
    show(Configuration(settings=found), _lines, as_json=as_json)


def _prompting(settings: LLMSettings) -> Prompting:
    # The command line starts without them.
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
    found = []
    for module in (extract, verify, judge, procedure, describe):
        name = module.__name__.rpartition(".")[2]
        file = folder / f"{name}.md" if folder else None
        system, _ = template.asking(getattr(texts, name), module.RULES, "")
        source = str(file) if file and file.exists() else "ours"
        found.append(Prompt(name=name, source=source, text=system["content"]))
    return Prompting(
        prompts=found, instructions="".join(delimiters.asked_for([settings.instructions]))
    )


def _prompt_lines(found: Prompting) -> Iterator[str]:
    for one in found.prompts:
        yield from (f"=== {one.name}, {one.source}", one.text, "")
    yield "=== instructions, llm.instructions"
    yield found.instructions or "none"


def _source(name: str, written: Mapping[str, Any], file: str) -> str:
    # The environment is read without regard to case.
    given = {key.upper(): key for key, value in os.environ.items() if value}
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
